"""The child process that every test server is: found ready, found dead, started again, stopped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.process import Child, ChildExited, PortTaken, free_port, started
from tests.waiting import eventually

LISTEN = "import signal, socket, sys; s = socket.create_server(('127.0.0.1', int(sys.argv[1])));"
OBEYING = LISTEN + "signal.pause()"
STUBBORN = "import signal;" + LISTEN.replace("s = ", "signal.signal(signal.SIGTERM, signal.SIG_IGN); s = ")
STUBBORN += "[s.accept() for _ in iter(int, 1)]"

PARENT = """
import pathlib, sys
from tests.servers.process import Child
log = pathlib.Path(sys.argv[1])
child = Child([sys.executable, "-c", "import signal; print(1, flush=True); signal.pause()"], env={}, log=log)
child.wait_until(log.read_text, timeout=30, what="the child runs")
print(child.pid, flush=True)
sys.stdin.read()
"""


def listening(program: str, log: Path) -> tuple[Child, int]:
    """A child of ours that accepts on a port."""
    port = free_port()
    child = Child([sys.executable, "-c", program, str(port)], env={}, log=log)
    child.wait_until(lambda: accepts(port), timeout=30, what="the child listens")
    return child, port


def accepts(port: int) -> bool:
    """Whether somebody takes a connection; refused is an OSError."""
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        return True


def test_a_child_that_ends_is_reported_with_its_last_words(tmp_path: Path) -> None:
    """Waiting ends at once, and the log is in the message."""
    child = Child([sys.executable, "-c", "import sys; sys.exit('no licence')"], env={}, log=tmp_path / "log")
    with pytest.raises(ChildExited, match="exit status 1: no licence"):
        child.wait_until(lambda: False, timeout=30, what="never")


def test_a_taken_port_is_told_apart(tmp_path: Path) -> None:
    """The stranger who has it accepts connections, and is not taken for the child."""
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        child = Child(
            [sys.executable, "-c", OBEYING, str(stranger.getsockname()[1])], env={}, log=tmp_path / "log"
        )
        with pytest.raises(PortTaken):
            child.wait_until(lambda: False, timeout=30, what="never")


def test_a_start_is_tried_again_when_its_port_was_taken() -> None:
    """Three times in all; any other end is final."""
    ends: list[Exception] = [PortTaken("first"), PortTaken("second")]

    def start() -> str:
        if ends:
            raise ends.pop(0)
        return "third"

    assert "third" == started(start)
    ends += [ChildExited("for another reason")]
    with pytest.raises(ChildExited, match="another reason"):
        started(start)


@pytest.mark.parametrize("program", [OBEYING, STUBBORN], ids=["obeying", "stubborn"])
def test_a_stopped_child_is_gone(tmp_path: Path, program: str) -> None:
    """SIGTERM is asked first; who ignores it is killed."""
    child, port = listening(program, tmp_path / "log")
    child.stop(grace_seconds=0.5)
    with pytest.raises(ConnectionRefusedError):
        accepts(port)
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)


def test_two_ports_side_by_side_are_both_free() -> None:
    """What a server needs that takes the next port as well."""
    first = free_port(width=2)
    with socket.create_server(("127.0.0.1", first)), socket.create_server(("127.0.0.1", first + 1)):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_a_killed_test_run_leaves_no_server(tmp_path: Path) -> None:
    """SIGKILL to pytest: the kernel takes the servers along."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "log")],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    eventually(lambda: not alive(child), what="the server died with its parent")


def alive(pid: int) -> bool:
    """Whether the process runs; one that nobody has reaped yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_port_that_was_given_out_is_not_given_out_again_soon() -> None:
    """Its server may not have come to bind it yet."""
    ports = [free_port() for _ in range(50)] + [free_port(width=2) for _ in range(10)]
    assert 60 == len({*ports})
