"""`once`, a line of docs/interface.md 2 and 7 each: alone, beside a daemon, beside another `once`."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.canary import MARKER
from tests.daemon.running import COMMAND, Daemon, environment, local_tables, run_verb, store
from tests.faults.daemons import token
from tests.waiting import eventually

Server = DevelopmentAuthorizationServer
SHORT = 'startup_deadline = "5s"'
"""Long enough for an attempt on a busy machine: what came of it is what these tests want to be told."""


def token_file(daemon: Daemon, name: str = "deploy") -> Path:
    """Where the configuration wants a token."""
    return daemon.directory / "run" / "tokens" / name


def once(daemon: Daemon, *names: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end; what it prints never holds a token or a secret."""
    done = run_verb("once", "--config", daemon.config, *names)
    assert MARKER not in done.stdout + done.stderr
    return done


def two_tokens(tmp_path: Path, server: Server) -> Daemon:
    """The managed tokens `deploy` and `second`, each with a file."""
    store(tmp_path, server.register("deploy").reveal())
    second = token("second") + '[[tokens.second.files]]\npath = "tokens/second"\n'
    return Daemon(tmp_path, local_tables(server, tmp_path) + second)


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold the lock of a directory, as another instance would."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def test_all_tokens_are_minted_without_a_name(tmp_path: Path, server: Server) -> None:
    """0, and every configured file is there with the configured mode."""
    daemon = two_tokens(tmp_path, server)
    assert 0 == once(daemon).returncode
    assert [0o100600, 0o100600] == [token_file(daemon, name).stat().st_mode for name in ("deploy", "second")]


def test_only_the_named_token_is_minted(tmp_path: Path, server: Server) -> None:
    """The others are not touched."""
    daemon = two_tokens(tmp_path, server)
    assert 0 == once(daemon, "second").returncode
    assert (False, True) == (token_file(daemon).exists(), token_file(daemon, "second").exists())
    assert 1 == server.ledger.count("token")


def test_nothing_goes_on_holding_the_directories(daemon: Daemon) -> None:
    """The locks end with the process, so that a daemon can follow an init container."""
    assert 0 == once(daemon).returncode
    daemon.start()
    daemon.wait_for(state="fresh")


def test_a_file_that_cannot_be_written_is_75_with_the_reason(tmp_path: Path, server: Server) -> None:
    """A token without its file is not what `once` was asked for."""
    store(tmp_path, server.register("deploy").reveal())
    daemon = Daemon(tmp_path, local_tables(server, tmp_path), broker=SHORT)
    token_file(daemon).mkdir(parents=True)
    done = once(daemon)
    assert 75 == done.returncode
    assert "is a directory, not a file" in done.stderr
    assert 1 == server.ledger.count("token")


def test_a_refused_credential_is_75_at_the_deadline(tmp_path: Path, server: Server) -> None:
    """The secret may be rotated meanwhile, so that this is worth another try."""
    server.register("deploy")
    store(tmp_path, "not-the-secret")
    done = once(Daemon(tmp_path, local_tables(server, tmp_path), broker=SHORT))
    assert 75 == done.returncode
    assert "deploy: credential_rejected" in done.stderr or "deploy: awaiting_secret" in done.stderr


def test_an_unknown_option_is_64(daemon: Daemon) -> None:
    """Usage."""
    assert 64 == run_verb("once", "--config", daemon.config, "--no-such-option").returncode


def test_a_fault_in_the_configuration_is_78(daemon: Daemon) -> None:
    """One line that names the key."""
    daemon.config.write_text(daemon.config.read_text() + 'mode = "rw"\n')
    done = once(daemon)
    assert (78, "tokens.deploy.files[0].mode") == (done.returncode, done.stderr.partition(":")[0])


def test_beside_a_daemon_that_is_about_to_start_its_token_is_waited_for(
    daemon: Daemon, server: Server
) -> None:
    """The lock is held, the socket not there yet: the file is when `once` ends."""
    daemon.start()
    lock = daemon.directory / "run" / "lock"
    eventually(lock.exists, what="the lock of the daemon")
    assert 0 == once(daemon).returncode
    assert server.introspect(token_file(daemon).read_text())["active"] is True
    assert 1 == server.ledger.count("token")


def test_beside_a_daemon_without_a_token_it_is_75_at_the_deadline(tmp_path: Path, server: Server) -> None:
    """And nothing is minted past the daemon."""
    store(tmp_path, server.register("deploy").reveal())
    server.fault("token", "500")
    with Daemon(tmp_path, local_tables(server, tmp_path), broker=SHORT) as daemon:
        daemon.wait_for(condition="unreachable")
        done = once(daemon)
    assert 75 == done.returncode
    assert "deploy: the other instance has no token" in done.stderr


def test_beside_a_daemon_whose_request_is_refused_it_is_69(tmp_path: Path, server: Server) -> None:
    """The token is known, and cannot be had."""
    store(tmp_path, server.register("deploy").reveal())
    server.fault("token", "invalid-scope")
    with Daemon(tmp_path, local_tables(server, tmp_path), broker=SHORT) as daemon:
        daemon.wait_for(condition="misconfigured")
        assert 69 == once(daemon).returncode


def test_beside_a_daemon_that_does_not_know_the_name_it_is_77(tmp_path: Path, server: Server) -> None:
    """The configuration grew and the daemon was not told: denied like any unknown name."""
    with two_tokens(tmp_path, server) as daemon:
        daemon.wait_for(state="fresh")
        daemon.config.write_text(daemon.config.read_text() + token("third"))
        done = once(daemon, "third")
    assert 77 == done.returncode
    assert "third" in done.stderr


def test_beside_a_daemon_that_cannot_write_the_file_it_is_75(tmp_path: Path, server: Server) -> None:
    """The socket has the token, and whoever reads the file has nothing."""
    store(tmp_path, server.register("deploy").reveal())
    daemon = Daemon(tmp_path, local_tables(server, tmp_path), broker=SHORT)
    token_file(daemon).mkdir(parents=True)
    with daemon:
        daemon.wait_for(condition="publish_failed")
        done = once(daemon)
    assert 75 == done.returncode
    assert "publish_failed" in done.stderr


def test_when_the_other_instance_ends_it_takes_over(daemon: Daemon, server: Server) -> None:
    """Whoever held the directories died: then it mints itself, within its deadline."""
    with locked(daemon.directory / "run" / "lock") as held, socket.socket(socket.AF_UNIX) as dying:
        dying.bind(str(daemon.socket))
        dying.listen()
        waiting = subprocess.Popen(
            [*COMMAND, "once", "--config", str(daemon.config)],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(),
        )
        dying.settimeout(60)
        dying.accept()[0].close()
        daemon.socket.unlink()
        fcntl.flock(held, fcntl.LOCK_UN)
        assert 0 == waiting.wait(60)
    assert server.introspect(token_file(daemon).read_text())["active"] is True


def test_two_at_the_same_time_both_end_with_the_file_there(daemon: Daemon, server: Server) -> None:
    """Overlapping cron jobs: the second waits for the first, and neither fails."""
    command = [*COMMAND, "once", "--config", str(daemon.config)]
    both = [
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
        for _ in range(2)
    ]
    assert [0, 0] == [process.wait(60) for process in both]
    assert server.introspect(token_file(daemon).read_text())["active"] is True


def test_sigterm_ends_it_without_a_half_written_file(tmp_path: Path, server: Server) -> None:
    """An orchestrator may end an init container at any time."""
    store(tmp_path, server.register("deploy").reveal())
    server.fault("token", "hang")
    daemon = Daemon(tmp_path, local_tables(server, tmp_path))
    process = subprocess.Popen(
        [*COMMAND, "once", "--config", str(daemon.config)],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
    )
    eventually(lambda: server.ledger.count("token"), what="the mint is under way")
    process.send_signal(signal.SIGTERM)
    assert 0 != process.wait(60)
    assert not token_file(daemon).exists()
