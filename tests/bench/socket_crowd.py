"""What a crowd costs: reads while 200 tokens renew every second before 50 watchers, and memory of idle connections.

Owns: the watchers that read, the runs and the figures. Quiet and busy runs take turns on the same machine.

usage: python -m tests.bench.socket_crowd [SECONDS [ROUNDS]]
"""

from __future__ import annotations

import selectors
import socket
import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench.contestants import built, run_load, running_ours
from tests.bench.figures import Figure, head, line
from tests.bench.memory import private_kib
from tests.waiting import eventually

RENEWING, WATCHERS, CONNECTIONS = 200, 50, 64
IDLE_CONNECTIONS = 448  # of the 512 that there may be
_SHARES = (
    4  # of a round: what else the machine does moves a p99 threefold, and its median only over many turns
)
_WATCH = b"GET /v1/watch HTTP/1.1\r\nHost: localhost\r\n\r\n"
_GET = b"GET /v1/tokens/bench HTTP/1.1\r\nHost: localhost\r\n\r\n"


def measure(*, seconds: float, rounds: int) -> Iterator[Figure]:
    """The figures: medians of the rounds."""
    with tempfile.TemporaryDirectory(prefix="bench-") as place, ExitStack() as stack:
        directory = Path(place)
        load = built("load", directory)
        calm = stack.enter_context(running_ours(directory))
        crowded = stack.enter_context(running_ours(directory, renewing=RENEWING))
        lines = Watching(crowded.path)
        quiet, busy = [], []
        turns, each = rounds * _SHARES, seconds / _SHARES
        for _ in range(turns):
            quiet.append(run_load(load, calm, CONNECTIONS, each).p99_us)
            with lines.reading():
                busy.append(run_load(load, crowded, CONNECTIONS, each).p99_us)
        what = f"{RENEWING} mints/s before {WATCHERS} watchers: p99 of reads"
        yield Figure(what=what, value=statistics.median(busy), unit="us")
        ratio = statistics.median(busy) / statistics.median(quiet)
        yield Figure(what="  to the quiet p99", value=ratio, unit="x", bar=2.0, aim=1.0)
        yield Figure(what="  lines to watchers", value=lines.count / (seconds * rounds), unit="/s")
        per_connection = _idle_connection_kib(calm.path, calm.pid)
        yield Figure(
            what="memory for each idle connection", value=per_connection, unit="KiB", bar=8.0, aim=4.0
        )


class Watching:
    """Watchers that read as fast as lines come, in a thread of this process."""

    def __init__(self, path: Path) -> None:
        self.count = 0
        self._path = path

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Watch for the time of the block."""
        stop = threading.Event()
        before = self.count
        snapshots = before + WATCHERS * (RENEWING + 1)
        with ExitStack() as stack, selectors.DefaultSelector() as selector:
            for _ in range(WATCHERS):
                watcher = stack.enter_context(socket.socket(socket.AF_UNIX))
                watcher.connect(str(self._path))
                watcher.sendall(_WATCH)
                selector.register(watcher, selectors.EVENT_READ)
            thread = threading.Thread(target=self._read, args=(selector, stop))
            thread.start()
            try:
                eventually(lambda: self.count >= snapshots, what="every watcher has its snapshot")
                self.count = before
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
        before = private_kib(pid)
        _answered(stack, path, IDLE_CONNECTIONS)
        return (private_kib(pid) - before) / IDLE_CONNECTIONS


def _answered(stack: ExitStack, path: Path, count: int) -> None:
    for _ in range(count):
        client = stack.enter_context(socket.socket(socket.AF_UNIX))
        client.settimeout(10)
        client.connect(str(path))
        client.sendall(_GET)
        client.recv(65_536)


if __name__ == "__main__":
    print(head())
    for each in measure(seconds=float((*sys.argv[1:], "1")[0]), rounds=int((*sys.argv[2:], "5")[0])):
        print(line(each), flush=True)
