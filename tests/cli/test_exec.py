"""`token-broker exec`, from outside: a program, its tokens, its signals, and nothing left of it."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.command import COMMAND, environment, token_broker
from tests.client.fake_broker import FakeBroker, fake_broker
from tests.waiting import eventually


@pytest.fixture
def broker(socket_file: Path) -> Iterator[FakeBroker]:
    """With two tokens."""
    with fake_broker(socket_file, "deploy", "my-registry.1") as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where token files go; empty before, and empty after."""
    directory = tmp_path / "runtime"
    directory.mkdir(mode=0o700)
    return directory


def variables(broker: FakeBroker, home: Path) -> dict[str, str]:
    """What says where the broker is and where files go."""
    return {"TOKEN_BROKER_SOCKET": str(broker.path), "XDG_RUNTIME_DIR": str(home)}


@contextmanager
def running(broker: FakeBroker, home: Path, *argv: str) -> Iterator[subprocess.Popen[str]]:
    """`exec` in the background; ended in any case."""
    process = subprocess.Popen(
        [*COMMAND, "exec", *argv],
        env=environment(**variables(broker, home)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.terminate()  # passed on, so that the program ends too


def left(home: Path) -> list[Path]:
    """What is in the directory of token files."""
    return list(home.iterdir())


def execute(broker: FakeBroker, home: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """`exec` to its end."""
    run = token_broker("exec", *argv, env=variables(broker, home))
    assert [] == left(home)
    return run


def test_a_token_is_in_the_file_and_nowhere_in_the_environment(broker: FakeBroker, home: Path) -> None:
    """Bare, without a newline, for this user only."""
    script = 'cat "$TOKEN_FILE"; stat -c " %a %A" "$TOKEN_FILE" "${TOKEN_FILE%/*}"; env | grep -c S3CR3T'
    run = execute(broker, home, "--token", "deploy", "--", "sh", "-c", script)
    assert (f"{broker.token()} 600 -rw-------\n 700 drwx------\n0\n", "") == (run.stdout, run.stderr)


def test_a_variable_is_filled_only_when_named(broker: FakeBroker, home: Path) -> None:
    """`=ENVVAR`; the file is there all the same."""
    script = 'echo "$MINE"; cat "$TOKEN_FILE"; echo; cat "$MINE_FILE"'
    run = execute(broker, home, "--token", "deploy=MINE", "--", "sh", "-c", script)
    assert [broker.token()] * 3 == run.stdout.splitlines()


def test_several_tokens_have_a_file_each(broker: FakeBroker, home: Path) -> None:
    """ENVVAR_FILE, the variable being made from the token's name where none is given."""
    script = 'cat "$A_FILE"; echo " $A"; cat "$MY_REGISTRY_1_FILE"; echo " ${TOKEN_FILE-none}"'
    run = execute(broker, home, "--token", "deploy=A", "--token=my-registry.1", "--", "sh", "-c", script)
    assert f"{broker.token()} {broker.token()}\n{broker.token('my-registry.1')} none\n" == run.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("--token", "deploy", "--token", "deploy"),
        ("--token", "deploy=A", "--token", "deploy=B"),
        ("--token", "deploy=A", "--token", "my-registry.1=A"),
        ("--token", "deploy=A", "--token", "my-registry.1=A_FILE"),
        ("--token", "deploy=TOKEN_FILE"),
        ("--token", "a.b", "--token", "a-b"),
        ("--token", "deploy=1A"),
        ("--token", "deploy="),
        ("--token", "deploy=A B"),
        ("--token", "../deploy"),
        (),
    ],
)
def test_names_that_cannot_be_are_a_mistake(broker: FakeBroker, home: Path, words: tuple[str, ...]) -> None:
    """64, before anything is read."""
    run = execute(broker, home, *words, "--", "true")
    assert (64, []) == (run.returncode, broker.requests)


def test_the_file_follows_the_broker(broker: FakeBroker, home: Path) -> None:
    """A renewal is in the file at once, and the file was never half written: it is another one."""
    with running(broker, home, "--token", "deploy", "--", "sleep", "60"):
        (directory,) = eventually(lambda: list(home.glob("token-broker-exec-*")), what="a directory")
        file = directory / "deploy"
        eventually(lambda: file.exists() and broker.watchers, what="the broker is watched")
        before = file.stat().st_ino, file.read_text()
        broker.renew()
        eventually(lambda: file.read_text() == broker.token(), what="the new token")
        assert before != (file.stat().st_ino, file.read_text())
        assert 0o600 == stat.S_IMODE(file.stat().st_mode)
        assert [file] == list(directory.iterdir())
        broker.hang_up()
        broker.renew()
        eventually(lambda: file.read_text() == broker.token(), what="the token after a restart")


@pytest.mark.parametrize("code", [0, 3, 127, 255])
def test_the_exit_status_is_the_programs(broker: FakeBroker, home: Path, code: int) -> None:
    """Whatever it is."""
    assert code == execute(broker, home, "--token", "deploy", "sh", "-c", f"exit {code}").returncode


def test_options_of_the_program_are_its_own(broker: FakeBroker, home: Path) -> None:
    """With `--` or without, from its name on."""
    for dashes in ([], ["--"]):
        run = execute(broker, home, "--token", "deploy", *dashes, "echo", "--token", "x", "--", "--help")
        assert "--token x -- --help\n" == run.stdout


@pytest.mark.parametrize(("program", "code"), [("no-such-program", 127), ("/etc/passwd", 126), ("/", 126)])
def test_what_is_no_program_is_told_as_by_a_shell(
    broker: FakeBroker, home: Path, program: str, code: int
) -> None:
    """127 no such command; 126 not one to run."""
    run = execute(broker, home, "--token", "deploy", "--", program)
    assert (code, "") == (run.returncode, run.stdout)
    assert f"token-broker: {program}: " in run.stderr


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_killed_program_is_told_by_its_signal_and_leaves_nothing(
    broker: FakeBroker, home: Path, number: signal.Signals
) -> None:
    """128+N."""
    run = execute(broker, home, "--token", "deploy", "--", "sh", "-c", f"kill -{int(number)} $$")
    assert 128 + number == run.returncode


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        signal.SIGHUP,
        signal.SIGINT,
        signal.SIGQUIT,
        signal.SIGUSR1,
        signal.SIGUSR2,
        signal.SIGRTMIN,
    ],
)
def test_signals_reach_the_program(broker: FakeBroker, home: Path, number: signal.Signals) -> None:
    """It decides what they mean."""
    script = f"trap 'echo got; exit 7' {int(number)}; echo ready; while :; do sleep 0.05; done"
    with running(broker, home, "--token", "deploy", "--", "sh", "-c", script) as process:
        assert process.stdout is not None
        assert "ready\n" == process.stdout.readline()
        process.send_signal(number)
        assert "got\n" == process.stdout.readline()
        assert 7 == process.wait(60)
    assert [] == left(home)


def test_the_program_starts_with_an_ordinary_signal_mask(broker: FakeBroker, home: Path) -> None:
    """As without us: nothing blocked, and what Python ignores is not ignored by it."""
    look = ["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"]
    expected = subprocess.run(look, capture_output=True, text=True, check=True).stdout
    found = execute(broker, home, "--token", "deploy", "--", *look).stdout
    assert _signals(expected) == _signals(found)


def _signals(status: str) -> list[int]:
    """The masks, without the two signals that belong to glibc: its posix_spawn ignores them."""
    return [int(row.split()[1], 16) & ~(0b11 << 31) for row in status.splitlines()]


def test_what_a_killed_exec_left_goes_with_the_next_one(broker: FakeBroker, home: Path) -> None:
    """Nothing can clean up after its own SIGKILL; a directory in use is left alone."""
    argv = ("--token", "deploy", "--", "sh", "-c", "echo $$; exec sleep 60")
    with running(broker, home, *argv) as killed, running(broker, home, *argv) as alive:
        assert killed.stdout is not None
        assert alive.stdout is not None
        orphan, child = int(killed.stdout.readline()), int(alive.stdout.readline())
        killed.kill()
        killed.wait(60)
        os.kill(orphan, signal.SIGKILL)
        assert 2 == len(left(home))
        token_broker("exec", "--token", "deploy", "true", env=variables(broker, home))
        assert 1 == len(left(home))
        os.kill(child, signal.SIGTERM)
        assert 128 + signal.SIGTERM == alive.wait(60)
    assert [] == left(home)


def test_without_a_token_the_program_does_not_start(broker: FakeBroker, home: Path) -> None:
    """The exit code is that of `get`."""
    run = execute(broker, home, "--token", "other", "--", "echo", "started")
    assert (77, "") == (run.returncode, run.stdout)


def test_a_directory_that_others_may_write_is_not_used(broker: FakeBroker, home: Path) -> None:
    """They could put their token where ours was; shared memory, where they cannot, is next."""
    home.chmod(0o777)
    run = execute(broker, home, "--token", "deploy", "--", "sh", "-c", 'echo "$TOKEN_FILE"')
    assert run.stdout.startswith("/dev/shm/token-broker-exec-")
    assert not Path(run.stdout.strip()).parent.exists()
