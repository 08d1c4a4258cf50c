"""`token-broker status --watch`, from outside."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from broker.client.errors import UnexpectedAnswer
from broker.client.watch import Lines
from tests.cli.command import COMMAND, environment, token_broker
from tests.client.fake_broker import FakeBroker, fake_broker
from tests.client.socket_api import always, answer, problem, socket_api
from tests.waiting import eventually


@pytest.fixture
def broker(socket_file: Path) -> Iterator[FakeBroker]:
    """With two tokens."""
    with fake_broker(socket_file, "deploy", "registry") as running:
        yield running


@contextmanager
def watching(path: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """The verb, writing into a pipe; ended by Ctrl-C."""
    argv = [*COMMAND, "status", "--watch", "--socket", str(path), *words]
    with subprocess.Popen(
        argv,
        env=environment(PYTHONIOENCODING="utf-8"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)


def line(process: subprocess.Popen[str]) -> str:
    """The next one."""
    assert process.stdout is not None
    return process.stdout.readline()


def test_records_are_lines_of_json(broker: FakeBroker) -> None:
    """First all of them, then each that changes, as the socket tells it."""
    with watching(broker.path, "--json") as process:
        assert ["deploy", "registry"] == [json.loads(line(process))["name"] for _ in range(2)]
        broker.renew("registry")
        assert broker.record("registry") == json.loads(line(process))


def test_one_token_alone(broker: FakeBroker) -> None:
    """What happens to others is not told."""
    with watching(broker.path, "registry", "--json") as process:
        assert "registry" == json.loads(line(process))["name"]
        broker.renew("deploy")
        broker.renew("registry")
        assert 2 == json.loads(line(process))["revision"]


def test_a_pipe_gets_a_table_after_each_change(broker: FakeBroker) -> None:
    """Without anything that steers a terminal, an empty line between them."""
    with watching(broker.path) as process:
        table = [line(process) for _ in range(4)]
        assert ["NAME", "deploy", "registry", ""] == [(row.split() or [""])[0] for row in table]
        broker.renew()
        assert "NAME" == line(process).split()[0]
    assert "\x1b" not in "".join(table)


def test_a_lost_stream_is_told_and_taken_up_again(broker: FakeBroker) -> None:
    """The broker restarts; whoever watches goes on, with all records first."""
    with watching(broker.path, "deploy", "--json") as process:
        line(process)
        broker.hang_up()
        assert process.stderr is not None
        assert "hung up" in process.stderr.readline()
        assert "deploy" == json.loads(line(process))["name"]


def test_interrupted_is_130_without_a_word(broker: FakeBroker) -> None:
    """Ctrl-C is how it ends."""
    with watching(broker.path, "--json") as process:
        line(process)
        process.send_signal(signal.SIGINT)
        assert ("", "") == process.communicate()
    assert 130 == process.returncode


@pytest.mark.parametrize(
    ("words", "code"), [(("--watch",), 77), (("nobody", "--watch"), 77), (("--watch", "--json"), 77)]
)
def test_what_may_not_be_watched_has_its_exit_code(
    socket_file: Path, words: tuple[str, ...], code: int
) -> None:
    """Before the first record, trouble is not waited out."""
    with socket_api(socket_file, always(problem(403, "denied"))):
        run = token_broker("status", *words, "--socket", str(socket_file))
    assert (code, "") == (run.returncode, run.stdout)


def test_an_unknown_name_is_not_watched(broker: FakeBroker) -> None:
    """It would say nothing for ever."""
    run = token_broker("status", "nobody", "--watch", "--socket", str(broker.path))
    assert (77, "") == (run.returncode, run.stdout)


@pytest.mark.parametrize("body", [b"[]\n", b"{}\n", b"\xff\n", b'{"name": 1}\n'])
def test_something_else_is_an_error(socket_file: Path, body: bytes) -> None:
    """70, not an empty table."""
    with socket_api(socket_file, always(answer(200, body))):
        run = token_broker("status", "--watch", "--socket", str(socket_file))
    assert (70, "") == (run.returncode, run.stdout)


def test_a_terminal_is_drawn_over_and_given_back(broker: FakeBroker) -> None:
    """On a screen of its own, no more lines than it has, cursor and screen as before in the end."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 3, 200, 0, 0))
    shown: list[str] = []

    def read() -> None:
        # Linux reports the end of a terminal's life as an error.
        try:
            while chunk := os.read(ours, 4096):
                shown.append(chunk.decode())
        except OSError:
            return

    reader = threading.Thread(target=read)
    reader.start()
    argv = [*COMMAND, "status", "--watch", "--socket", str(broker.path)]
    with subprocess.Popen(
        argv,
        env=environment(TERM="xterm", PYTHONIOENCODING="utf-8"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        eventually(lambda: "deploy" in "".join(shown), what="the table")
        drawn = len(shown)
        eventually(lambda: len(shown) > drawn, what="the next second")
        process.send_signal(signal.SIGINT)
    os.close(theirs)
    reader.join()
    os.close(ours)
    text = "".join(shown)
    assert text.startswith("\x1b[?1049h")
    assert text.endswith("\x1b[?1049l")
    assert text.count("\x1b[H\x1b[J") >= 2
    assert "registry" not in text  # the third line of three is the cursor's


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("chunked", [True, False])
def test_lines_are_put_together_from_whatever_pieces_arrive(size: int, chunked: bool) -> None:  # noqa: FBT001 - a parameter of a test
    """Chunks end where they like, and so do packets."""
    records = [{"name": "deploy", "n": number} for number in range(3)]
    text = b"\n".join(json.dumps(record).encode() + b"\n" for record in records)
    stream = b"".join(b"%x;x=y\r\n%s\r\n" % (len(part), part) for part in (text[:5], text[5:40], text[40:]))
    stream = stream + b"0\r\n\r\n" if chunked else text
    lines = Lines("/path", chunked=chunked)
    got = []
    for start in range(0, len(stream), size):
        lines.feed(stream[start : start + size])
        got += lines.take()
    assert records == got


@pytest.mark.parametrize("stream", [b"x\r\n", b"-1\r\n", b"123456789\r\n", b"f" * 100])
def test_a_malformed_chunk_is_told(stream: bytes) -> None:
    """What follows it could be anything."""
    with pytest.raises(UnexpectedAnswer, match="malformed chunk"):
        Lines("/path", chunked=True).feed(stream)


def test_a_line_without_an_end_is_not_kept_for_ever() -> None:
    """A mebibyte is more than any record has."""
    with pytest.raises(UnexpectedAnswer, match="a line without an end"):
        Lines("/path", chunked=False).feed(b"x" * 2_000_000)
