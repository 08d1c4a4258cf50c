"""`token-broker get`, from outside."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.cli.command import COMMAND, environment, token_broker
from tests.client.socket_api import SocketApi, always, answer, in_turn, one_token, problem, socket_api

TOKEN = "S3CR3T-deploy.revision-1"
TIMES = '"expires_at":1700001795,"issued_at":1700000000'
REST = f'{TIMES},"scope":"a b","revision":1,"fingerprint":"0123456789abcdef"'


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("raw", TOKEN),
        ("header", f"Authorization: Bearer {TOKEN}\n"),
        ("env", f"ACCESS_TOKEN={TOKEN}\n"),
        ("curl", f'header = "Authorization: Bearer {TOKEN}"\n'),
        (
            "json",
            f'{{"name":"deploy","access_token":"{TOKEN}","token_type":"Bearer",{REST}}}\n',
        ),
    ],
)
def test_each_format_is_the_documented_bytes(socket_file: Path, form: str, expected: str) -> None:
    """docs/interface.md 7, "Bytes"."""
    with socket_api(socket_file, one_token()):
        run = token_broker("get", "deploy", "--socket", str(socket_file), "--format", form)
    assert (0, expected, "") == (run.returncode, run.stdout, run.stderr)


def test_the_socket_may_come_from_the_environment(socket_file: Path) -> None:
    """So that scripts need not name it."""
    with socket_api(socket_file, one_token()):
        run = token_broker("get", "deploy", env={"TOKEN_BROKER_SOCKET": str(socket_file)})
    assert TOKEN == run.stdout


def test_min_valid_and_wait_are_passed_on(socket_file: Path) -> None:
    """In the socket's words, the wait capped at what one request may ask for."""
    with socket_api(socket_file, one_token()) as api:
        token_broker("get", "deploy", "--socket", str(socket_file), "--min-valid", "2m", "--wait", "1h")
    assert ["GET /v1/tokens/deploy?min_valid=120s&wait=30s"] == api.targets()


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (403, "denied", 77),
        (404, "not_found", 70),
        (405, "method_not_allowed", 70),
        (400, "invalid_request", 64),
        (429, "rate_limited", 75),
        (503, "unreachable", 75),
        (503, "throttled", 75),
        (503, "starting", 75),
        (503, "awaiting_secret", 75),
        (503, "min_valid", 75),
        (503, "expired", 69),
        (503, "credential_rejected", 69),
        (503, "misconfigured", 69),
    ],
)
def test_each_error_of_the_socket_has_its_exit_code(
    socket_file: Path, status: int, code: str, expected: int
) -> None:
    """docs/interface.md 7, "Errors on the socket"; the message is detail and help in one line."""
    with socket_api(socket_file, always(problem(status, code))):
        run = token_broker("get", "deploy", "--socket", str(socket_file))
    assert (expected, "") == (run.returncode, run.stdout)
    assert f"token-broker: Detail of {code}. Help for {code}.\n" == run.stderr


def test_without_a_daemon_the_socket_is_named_with_the_fix(socket_file: Path) -> None:
    """75: it may be about to start."""
    run = token_broker("get", "deploy", "--socket", str(socket_file))
    assert (75, "") == (run.returncode, run.stdout)
    assert f"there is no socket {socket_file}; is the broker running?" in run.stderr


def test_a_socket_path_that_is_too_long_is_a_mistake_of_the_caller() -> None:
    """The kernel takes 107 bytes."""
    run = token_broker("get", "deploy", "--socket", "/" + "x" * 200)
    assert 64 == run.returncode
    assert "longer than 107 bytes" in run.stderr


@pytest.mark.parametrize("name", ["", "../status", "a b"])
def test_a_name_that_none_can_have_is_a_mistake_of_the_caller(name: str) -> None:
    """An empty variable in a script, most often."""
    run = token_broker("get", name)
    assert 64 == run.returncode
    assert "cannot be the name of a token" in run.stderr


def test_wait_bridges_a_daemon_that_is_only_starting(socket_file: Path) -> None:
    """Boot order does not matter to who waits."""
    started: list[SocketApi] = []
    with subprocess.Popen(
        [*COMMAND, "get", "deploy", "--socket", str(socket_file), "--wait", "30s"],
        env=environment(),
        stdout=subprocess.PIPE,
    ) as child:
        started.append(
            SocketApi(
                socket_file,
                in_turn(
                    problem(503, "starting"), one_token()("GET /v1/tokens/deploy Accept: text/plain\r\n")
                ),
            )
        )
        output, _ = child.communicate(timeout=30)
    started[0].close()
    assert (0, TOKEN.encode()) == (child.returncode, output)


@pytest.mark.parametrize("body", [b"", b"{}", b"a b", b"a\r\nX: y", b'a"', "é".encode()])
def test_what_is_no_bearer_token_is_not_printed(socket_file: Path, body: bytes) -> None:
    """A line break in a header file would add a header."""
    with socket_api(socket_file, always(answer(200, body))):
        run = token_broker("get", "deploy", "--socket", str(socket_file), "--format", "header")
    assert (70, "") == (run.returncode, run.stdout)


@pytest.mark.parametrize("form", ["raw", "json", "header", "env", "curl"])
def test_a_token_is_not_shown_on_a_terminal(socket_file: Path, form: str) -> None:
    """Not even asked for; --show is named."""
    with socket_api(socket_file, one_token()) as api:
        status, shown = on_a_terminal("get", "deploy", "--socket", str(socket_file), "--format", form)
    assert (64, []) == (status, api.requests)
    assert "--show" in shown
    assert "S3CR3T" not in shown


def test_show_shows_it_on_a_terminal(socket_file: Path) -> None:
    """For who really wants to see it."""
    with socket_api(socket_file, one_token()):
        assert (0, TOKEN) == on_a_terminal("get", "deploy", "--socket", str(socket_file), "--show")


def test_a_secret_is_never_an_argument_or_an_error(socket_file: Path) -> None:
    """R-156: whatever came instead of an answer, its text is not repeated."""
    with socket_api(socket_file, always(b"HTTP/1.1 200 S3CR3T\r\nX: S3CR3T-header\r\n\r\n")):
        run = token_broker("get", "deploy", "--socket", str(socket_file))
    assert 70 == run.returncode
    assert "S3CR3T" not in run.stderr


def on_a_terminal(*argv: str) -> tuple[int, str]:
    """Exit code and what a terminal showed, both streams together."""
    ours, theirs = pty.openpty()
    shown: list[bytes] = []

    def read() -> None:
        # Linux reports the end of a terminal's life as an error.
        try:
            while chunk := os.read(ours, 4096):
                shown.append(chunk)
        except OSError:
            return

    reader = threading.Thread(target=read)
    reader.start()
    run = subprocess.run(
        [*COMMAND, *argv], env=environment(), stdin=theirs, stdout=theirs, stderr=theirs, check=False
    )
    os.close(theirs)
    reader.join()
    os.close(ours)
    return run.returncode, b"".join(shown).decode()


def test_client_verbs_load_what_they_need_and_no_more(socket_file: Path) -> None:
    """The start of `get` is its whole cost: no event loop, no third party, no slow standard module."""
    program = (
        "import sys; before = set(sys.modules); from broker.cli import main; main(sys.argv[1:]);"
        "print(*sorted(set(sys.modules) - before), file=sys.stderr)"
    )
    with socket_api(socket_file, one_token()):
        run = subprocess.run(
            [sys.executable, "-I", "-c", program, "get", "deploy", "--socket", str(socket_file)],
            env=environment(),
            capture_output=True,
            text=True,
            check=True,
        )
    assert {"_socket", "errno"} == {name for name in run.stderr.split() if not name.startswith("broker")}
