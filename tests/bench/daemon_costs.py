"""What the daemon costs: seconds to the first published token, and memory for one and for a thousand managed tokens.

Owns: the runs and the table. Everything is loopback: a development authorization server in this process, secrets in
files.
"""

from __future__ import annotations

import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.servers.process import free_port
from tests.waiting import eventually

DEADLINE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Row:
    """One figure for people and for JSON."""

    what: str
    value: float
    unit: str


def measure(*, rounds: int, tokens: int) -> list[Row]:
    """The figures; `tokens` is the size of the large configuration."""
    bare = statistics.median(_bare_import_seconds() for _ in range(rounds))
    starts = [_run(1) for _ in range(rounds)]
    many = _run(tokens)
    one_mib = statistics.median(run.mib for run in starts)
    first = statistics.median(run.seconds for run in starts)
    return [
        Row("cold start to the first published token", first * 1000, "ms"),
        Row("  as a ratio to python3 -c 'import asyncio'", first / bare, "x"),
        Row("idle memory, 1 managed token", one_mib, "MiB"),
        Row(f"idle memory, {tokens} managed tokens", many.mib, "MiB"),
        Row("  for each managed token", (many.mib - one_mib) * 1024 / (tokens - 1), "KiB"),
        Row(f"cold start to {tokens} published tokens", many.seconds, "s"),
    ]


def table(rows: list[Row]) -> str:
    """The rows for people."""
    return "\n".join(f"{row.what:46} {row.value:9.2f} {row.unit}" for row in rows)


@dataclass(frozen=True, slots=True)
class _Run:
    seconds: float
    mib: float


def _run(tokens: int) -> _Run:
    with tempfile.TemporaryDirectory(prefix="bench-") as place, DevelopmentAuthorizationServer() as server:
        directory = Path(place)
        with _configured(directory, server, tokens) as config:
            began = time.monotonic()
            process = subprocess.Popen(
                [sys.executable, "-m", "broker", "run", "--config", str(config)],
                stderr=subprocess.DEVNULL,
                env={"PATH": os.defpath},
            )
            try:
                files = [directory / "run" / "tokens" / f"t{number}" for number in range(tokens)]
                eventually(
                    lambda: all(file.exists() for file in reversed(files)),
                    timeout=DEADLINE_SECONDS,
                    what="every token file",
                )
                seconds = time.monotonic() - began
                return _Run(seconds, _resident_mib(process.pid))
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait()


@contextmanager
def _configured(directory: Path, server: DevelopmentAuthorizationServer, tokens: int) -> Iterator[Path]:
    secret = server.register("bench", lifetime_seconds=43_200).reveal()
    (directory / "secret").write_text(json.dumps({"client_id": "bench", "client_secret": secret}))
    (directory / "secret").chmod(0o600)
    tables = "\n".join(
        f'[tokens.t{number}]\nauthorization_server = "local"\nclient_id = "bench"\nscope = ["s{number}"]\n'
        'client_secret = { backend = "local", path = "secret", field = "client_secret" }\n'
        f'[[tokens.t{number}.files]]\npath = "tokens/t{number}"'
        for number in range(tokens)
    )
    config = directory / "config.toml"
    config.write_text(
        f'[broker]\nruntime_dir = "{directory}/run"\nstate_dir = "{directory}/state"\n'
        f'[ops]\nlisten = "127.0.0.1:{free_port()}"\n[log]\nlevel = "error"\n'
        f'[secret_backends.local]\ntype = "file"\ndirectory = "{directory}"\n'
        f'[authorization_servers.local]\ntoken_endpoint = "{server.token_endpoint}"\n'
        f"allow_insecure_loopback = true\n{tables}\n"
    )
    yield config


def _bare_import_seconds() -> float:
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", "import asyncio"], check=True)
    return time.monotonic() - began


def _resident_mib(pid: int) -> float:
    """Proportional set size: what this process alone adds to the machine."""
    rollup = Path(f"/proc/{pid}/smaps_rollup")
    try:
        text = rollup.read_text()
        kib = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    except OSError:
        kib = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert kib is not None
    return int(kib[1]) / 1024
