"""A daemon to measure: its directory, its configuration, its process. All of it on loopback.

Owns: what a configuration for a benchmark holds; the authorization server is a process of its own. Refuses to know:
what is measured.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.process import Child, free_port

ROOT = Path(__file__).parents[2]
LIFETIME_SECONDS = 43_200
DEADLINE_SECONDS = 1800.0
TOKENS_IN_A_FILE = 1_000
"""A configuration file has at most 1 MiB."""
PAUSE_SECONDS = 0.001
"""Between two looks: short against any start."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Where tokens come from."""

    token_endpoint: str
    client_secret: str = field(repr=False)


@contextmanager
def running_issuer(directory: Path) -> Iterator[Issuer]:
    """The development authorization server in another process."""
    announced = directory / "issuer.json"
    child = Child(
        [sys.executable, "-m", "tests.bench.issuer", announced, str(LIFETIME_SECONDS)],
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT)},
        log=directory / "issuer.log",
    )
    child.wait_until(announced.exists, timeout=30.0, what="the authorization server listens")
    try:
        yield Issuer(**json.loads(announced.read_text()))
    finally:
        child.stop()


class DaemonPlace:
    """A directory with a configuration for `tokens` managed tokens, each published to a file and on the socket."""

    def __init__(
        self,
        directory: Path,
        issuer: Issuer,
        *,
        tokens: int = 1,
        backend: str | None = None,
        cache: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`backend` is the table of the one secret backend; None: files in the directory."""
        self._process: subprocess.Popen[bytes] | None = None
        self._environment = {"PATH": os.defpath, **(environment or {})}
        self.directory = directory
        self.socket = directory / "run" / "token-broker.sock"
        self.files = [directory / "run" / "tokens" / f"t{number}" for number in range(tokens)]
        self.config = directory / "config.toml"
        directory.mkdir(exist_ok=True)
        self._write("secret", json.dumps({"client_secret": issuer.client_secret}))
        key = directory / "cache-key"
        if cache and not key.exists():
            self._write("cache-key", b64encode(secrets.token_bytes(32)).decode())
        files = f'type = "file"\ndirectory = "{directory}"\n'
        for first in range(0, tokens, TOKENS_IN_A_FILE):
            numbers = range(first, min(first + TOKENS_IN_A_FILE, tokens))
            (directory / f"tokens-{first}.toml").write_text("\n".join(map(_table, numbers)))
        self.config.write_text(
            f'include = ["tokens-*.toml"]\n[broker]\nruntime_dir = "{directory}/run"\nstate_dir = "{directory}/state"\n'
            + (f'[cache]\nkey_file = "{key}"\n' if cache else "")
            + f'[ops]\nlisten = "127.0.0.1:{free_port()}"\n[log]\nlevel = "error"\n'
            f"[secret_backends.secrets]\n{backend or files}"
            f'[authorization_servers.local]\ntoken_endpoint = "{issuer.token_endpoint}"\n'
            "allow_insecure_loopback = true\n"
        )

    @contextmanager
    def running(self) -> Iterator[tuple[int, float]]:
        """The daemon: its pid, and the instant just before it was started."""
        with (self.directory / "daemon.log").open("ab") as log:
            began = time.perf_counter()
            argv = [sys.executable, "-m", "broker", "run", "--config", str(self.config)]
            self._process = subprocess.Popen(argv, stderr=log, env=self._environment)
            try:
                yield self._process.pid, began
            finally:
                self._process.send_signal(signal.SIGTERM)
                self._process.wait()

    def published(self) -> float:
        """Wait until every token file is there; the instant at which it was."""
        return instant_of(self._all_published, "every token file")

    def _all_published(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise AssertionError(f"the daemon ended: {(self.directory / 'daemon.log').read_text()}")
        return all(file.exists() for file in reversed(self.files))

    def _write(self, name: str, text: str) -> None:
        (self.directory / name).write_text(text)
        (self.directory / name).chmod(0o600)


def _table(number: int) -> str:
    return (
        f'[tokens.t{number}]\nauthorization_server = "local"\nclient_id = "bench"\nscope = ["s{number}"]\n'
        'client_secret = { backend = "secrets", path = "secret", field = "client_secret" }\n'
        f'[[tokens.t{number}.files]]\npath = "tokens/t{number}"\n'
    )


def instant_of(happened: Callable[[], bool], what: str) -> float:
    """Look at a steady and quick pace; the instant at which it had happened."""
    pause = threading.Event()
    deadline = time.perf_counter() + DEADLINE_SECONDS
    while not happened():
        if time.perf_counter() > deadline:
            raise AssertionError(f"{what}: not within {DEADLINE_SECONDS:.0f} s")
        pause.wait(PAUSE_SECONDS)
    return time.perf_counter()
