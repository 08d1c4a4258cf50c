"""Daemons with a token cache: ended as the kernel ends processes, started again, asked until they serve."""

from __future__ import annotations

import base64
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.canary import MARKER
from tests.daemon.running import Daemon, local_tables, store
from tests.waiting import eventually

Server = DevelopmentAuthorizationServer

KEY_FILE = '[cache]\nkey_file = "{directory}/cache-key"\n'
KEY_IN_BACKEND = '[cache]\nkey = {{ backend = "local", path = "cache-key" }}\n'


def prepared(directory: Path, server: Server, cache: str) -> Iterator[Daemon]:
    """A daemon with the managed token `deploy` of 12 hours and this `[cache]`."""
    store(directory, server.register("deploy", lifetime_seconds=43_200, scope=("a", "b")).reveal())
    daemon = Daemon(directory, tables(server, directory, cache))
    yield daemon
    daemon.__exit__()


def tables(server: Server, directory: Path, cache: str) -> str:
    """The tables of a configuration with this `[cache]`; the file in JSON shows every kept member."""
    return cache.format(directory=directory) + local_tables(server, directory, files='format = "json"')


def write_key(path: Path) -> None:
    """A key that the suite would recognise in a log."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_bytes(base64.b64encode(f"{MARKER}cache-key-of-the-test-suite-".encode()[:32].ljust(32, b"-")))
    path.chmod(0o600)


def entry_of(daemon: Daemon, name: str = "deploy") -> Path:
    """The file of a token's entry."""
    return daemon.directory / "state" / "cache" / f"{name}.jwe"


def minted_and_kept(daemon: Daemon) -> dict[str, Any]:
    """Start, wait until the token is published and kept; the socket's answer."""
    daemon.start()
    daemon.wait_for(state="fresh", condition="ok")
    eventually(lambda: entry_of(daemon).exists(), what="the entry in the cache")
    eventually(lambda: published(daemon).exists(), what="the token file")
    answer: dict[str, Any] = daemon.ask("/v1/tokens/deploy")[1]
    return answer


def published(daemon: Daemon) -> Path:
    """The token file."""
    return daemon.directory / "run" / "tokens" / "deploy"


def killed(daemon: Daemon) -> None:
    """As the out-of-memory killer ends a process."""
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGKILL)
    daemon.process.wait()


def served(daemon: Daemon) -> tuple[dict[str, Any], float]:
    """Start; the first answer with a token, and the seconds from the start to it."""
    began = time.monotonic()
    daemon.start()

    def token() -> dict[str, Any] | None:
        status, answer = daemon.ask("/v1/tokens/deploy")
        return answer if status == 200 else None

    answer = eventually(token, what="the token on the socket", retry_on=(OSError,))
    assert answer is not None
    return answer, time.monotonic() - began


def lasting(answer: dict[str, Any]) -> dict[str, Any]:
    """The members that do not depend on when one asks."""
    return {key: value for key, value in answer.items() if key != "expires_in"}


def told(daemon: Daemon, phase: str) -> list[str]:
    """What the daemon told about itself in this phase."""
    return [line["message"] for line in daemon.lines("life_cycle") if line["phase"] == phase]


def warnings_of(daemon: Daemon) -> list[str]:
    """The messages of all warnings about the cache."""
    return [message for message in told(daemon, "warning") if "cache" in message]


def run_for(daemon: Daemon, seconds: float) -> None:
    """Start it, and end it after so long as the kernel would."""
    daemon.start()
    assert daemon.process is not None
    with suppress(subprocess.TimeoutExpired):
        daemon.process.wait(seconds)
    assert daemon.process.returncode is None, "it ended by itself"
    killed(daemon)


def names_in(directory: Path) -> list[str]:
    """What lies there."""
    return sorted(each.name for each in directory.iterdir())
