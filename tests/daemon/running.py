"""The daemon as a process, seen as its users see it: command line, files, socket, ops port, standard error, signals."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from prometheus_client.parser import text_string_to_metric_families

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests import canary
from tests.servers.process import free_port
from tests.waiting import DEFAULT_TIMEOUT_SECONDS, eventually

COMMAND = [sys.executable, "-m", "broker"]

END_SECONDS = 5.0
"""Promised (R-147); the daemon gives itself three, so that a busy machine may take two."""


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=40)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(40)
        self.sock.connect(str(self._path))


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """A plain environment: nothing of the developer's own reaches the daemon."""
    return {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8", **(extra or {})}


def run_verb(
    *arguments: str | Path, cwd: Path | None = None, extra: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """One verb, run to its end."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=cwd,
        env=environment(extra),
    )


class Daemon:
    """`token-broker run` on a configuration in `directory`. `tables` is TOML after the common part."""

    def __init__(
        self,
        directory: Path,
        tables: str,
        *,
        broker: str = "",
        extra: Mapping[str, str] | None = None,
        command: Sequence[str | Path] = COMMAND,
    ) -> None:
        self.directory = directory
        self.ops_port = free_port()
        self.config = directory / "config.toml"
        self.broker = broker
        self.socket = directory / "run" / "token-broker.sock"
        self.log = canary.watch(directory / "daemon.log")
        self.extra = dict(extra or {})
        self.command = command
        self.process: subprocess.Popen[bytes] | None = None
        self.write(tables)

    def write(self, tables: str) -> None:
        """Write the configuration, without telling the daemon."""
        self.config.write_text(
            f"""
[broker]
runtime_dir = "{self.directory}/run"
state_dir = "{self.directory}/state"
{self.broker}

[ops]
listen = "127.0.0.1:{self.ops_port}"

[log]
level = "debug"

{tables}
"""
        )

    def start(self) -> Daemon:
        """Start the process; does not wait for anything."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.command, "run", "--config", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(self.extra),
            )
        return self

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self.process is not None
        return self.process.pid

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Ask it to end; exit code and the seconds that it took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(60), time.monotonic() - began

    def records(self) -> list[dict[str, Any]]:
        """The log records that are written by now, whole; a thread writes them, in its own time."""
        lines = self.log.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]

    def lines(self, event: str) -> list[dict[str, Any]]:
        """The log records of one event."""
        return [record for record in self.records() if record.get("event") == event]

    def line(self, event: str) -> dict[str, Any]:
        """Wait for the first log record of one event."""
        return eventually(lambda: self.lines(event), what=f"a line about {event}")[0]

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, Any]:
        """Status and JSON body (text for another type) of a request to the socket."""
        connection = UnixConnection(self.socket)
        try:
            connection.request(
                method, path, headers={name.replace("_", "-"): v for name, v in headers.items()}
            )
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if "json" in answer.headers.get("content-type", ""):
            return answer.status, json.loads(body)
        return answer.status, body.decode()

    def ops(self, path: str) -> tuple[int, str]:
        """Status and body of a request to the ops listener."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ops_port, timeout=40)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def metric(self, name: str, **labels: str) -> float | None:
        """One sample of /metrics."""
        for family in text_string_to_metric_families(self.ops("/metrics")[1]):
            for sample in family.samples:
                if sample.name == f"token_broker_{name}" and labels.items() <= sample.labels.items():
                    return sample.value
        return None

    def record(self, name: str = "deploy") -> dict[str, Any]:
        """The status record of one token."""
        records: list[dict[str, Any]] = self.ask("/v1/status")[1]["tokens"]
        return next(record for record in records if record["name"] == name)

    def wait_for(
        self, *, timeout: float = DEFAULT_TIMEOUT_SECONDS, name: str = "deploy", **members: object
    ) -> dict[str, Any]:
        """Wait until the status record of a token has these members; answers the record."""

        def matching() -> dict[str, Any] | None:
            record = self.record(name)
            return record if members.items() <= record.items() else None

        record = eventually(
            matching,
            timeout=timeout,
            what=f"{name} with {members}",
            retry_on=(OSError, KeyError, StopIteration),
        )
        assert record is not None
        return record


def local_tables(
    server: DevelopmentAuthorizationServer, directory: Path, *, token: str = "", files: str = ""
) -> str:
    """A file backend below `directory`, the development server, and the managed token `deploy`."""
    return f"""
[secret_backends.local]
type = "file"
directory = "{directory}/secrets"

[authorization_servers.odc]
profile = "outsystems-odc"
discovery_url = "{server.discovery_url}"
issuer = "{server.issuer}"
token_endpoint_hosts = ["127.0.0.1"]
allow_insecure_loopback = true

[tokens.deploy]
authorization_server = "odc"
client_id = {{ backend = "local", path = "deploy", field = "client_id" }}
client_secret = {{ backend = "local", path = "deploy", field = "client_secret" }}
min_lifetime = "1s"
poll_secret_version = "1s"
{token}

[[tokens.deploy.files]]
path = "tokens/deploy"
{files}
"""


def store(directory: Path, secret: str, *, client_id: str = "deploy") -> None:
    """Put the client's secret where the file backend finds it."""
    place = directory / "secrets" / "deploy"
    place.parent.mkdir(mode=0o700, exist_ok=True)
    new = place.with_suffix(".new")
    new.write_text(json.dumps({"client_id": client_id, "client_secret": secret}))
    new.chmod(0o600)
    new.replace(place)
