"""What a crowd costs: reads while 200 tokens renew every second before 50 watchers, and memory of idle connections.

Owns: the watchers that read, the runs and the table. Quiet and busy runs take turns on the same machine.

usage: python -m tests.bench.socket_crowd [--seconds N] [--rounds N]
"""

from __future__ import annotations

import argparse
import re
import selectors
import socket
import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.socket_reads import built_load, run_load, running_server

RENEWING, WATCHERS, CONNECTIONS = 200, 50, 64
IDLE_CONNECTIONS = 448  # of the 512 that there may be
_WATCH = b"GET /v1/watch HTTP/1.1\r\nHost: localhost\r\n\r\n"
_GET = b"GET /v1/tokens/bench HTTP/1.1\r\nHost: localhost\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure for people and for JSON."""

    what: str
    value: float
    unit: str


def measure(*, seconds: float, rounds: int) -> list[Row]:
    """The figures: medians of the rounds."""
    with tempfile.TemporaryDirectory(prefix="bench-") as place, ExitStack() as stack:
        directory = Path(place)
        load = built_load(directory)
        quiet_path, pid = stack.enter_context(running_server(directory))
        busy_path, _ = stack.enter_context(running_server(directory, renewing=RENEWING))
        lines = Watching(busy_path)
        quiet, busy = [], []
        for _ in range(rounds):
            quiet.append(run_load(load, quiet_path, CONNECTIONS, seconds)["p99_us"])
            with lines.reading():
                busy.append(run_load(load, busy_path, CONNECTIONS, seconds)["p99_us"])
        per_connection = _idle_connection_kib(quiet_path, pid)
    return [
        Row("reads at 64 connections, quiet: p99", statistics.median(quiet), "us"),
        Row(f"  {RENEWING} mints/s, {WATCHERS} watchers: p99", statistics.median(busy), "us"),
        Row("  as a ratio", statistics.median(busy) / statistics.median(quiet), "x"),
        Row("  lines a second to all, snapshots included", lines.count / (seconds * rounds), ""),
        Row("memory for each idle connection", per_connection, "KiB"),
    ]


def table(rows: list[Row]) -> str:
    """The rows for people."""
    return "\n".join(f"{row.what:46} {row.value:9.2f} {row.unit}" for row in rows)


class Watching:
    """Watchers that read as fast as lines come, in a thread of this process."""

    def __init__(self, path: Path) -> None:
        self.count = 0
        self._path = path

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Watch for the time of the block."""
        stop = threading.Event()
        with ExitStack() as stack, selectors.DefaultSelector() as selector:
            for _ in range(WATCHERS):
                watcher = stack.enter_context(socket.socket(socket.AF_UNIX))
                watcher.connect(str(self._path))
                watcher.sendall(_WATCH)
                selector.register(watcher, selectors.EVENT_READ)
            thread = threading.Thread(target=self._read, args=(selector, stop))
            thread.start()
            try:
                yield
            finally:
                stop.set()
                thread.join()

    def _read(self, selector: selectors.BaseSelector, stop: threading.Event) -> None:
        while not stop.is_set():
            for key, _ in selector.select(timeout=0.1):
                assert isinstance(key.fileobj, socket.socket)
                self.count += key.fileobj.recv(65_536).count(b"\n")


def _idle_connection_kib(path: Path, pid: int) -> float:
    with ExitStack() as stack:
        _answered(stack, path, 8)  # what the first connections bring with them is not theirs
        before = _resident_kib(pid)
        _answered(stack, path, IDLE_CONNECTIONS)
        return (_resident_kib(pid) - before) / IDLE_CONNECTIONS


def _answered(stack: ExitStack, path: Path, count: int) -> None:
    for _ in range(count):
        client = stack.enter_context(socket.socket(socket.AF_UNIX))
        client.settimeout(10)
        client.connect(str(path))
        client.sendall(_GET)
        client.recv(65_536)


def _resident_kib(pid: int) -> float:
    found = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return float(found[1])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    sys.stdout.write(table(measure(seconds=arguments.seconds, rounds=arguments.rounds)) + "\n")


if __name__ == "__main__":
    main()
