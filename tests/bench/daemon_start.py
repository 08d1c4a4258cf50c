"""How long the daemon takes to start, as a ratio to a Python that imports asyncio.

Cold to the first published token, and with a warm cache to the first answer on the socket.

Owns: the pairs of runs and the figures. The warm start has a Vault as secret backend that nobody runs: a cached token
needs none.

usage: python -m tests.bench.daemon_start [ROUNDS]
"""

from __future__ import annotations

import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from tests.bench.daemon_place import DaemonPlace, instant_of, running_issuer
from tests.bench.figures import Figure, head, line

_ABSENT_VAULT = """\
type = "vault"
url = "http://127.0.0.1:9"
allow_insecure_loopback = true
auth = { method = "token_file", path = "/nonexistent" }
"""
_GET = b"GET /v1/tokens/t0 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def measure(*, rounds: int) -> Iterator[Figure]:
    """Medians of pairs."""
    with tempfile.TemporaryDirectory(prefix="bench-") as place, running_issuer(Path(place)) as issuer:
        directory = Path(place)
        numbers = iter(range(rounds))

        def cold() -> float:
            fresh = DaemonPlace(directory / f"cold-{next(numbers)}", issuer)
            with fresh.running() as (_, began):
                return fresh.published() - began

        yield from _figures("cold start to the first published token", _pairs(cold, rounds), None, None)
        kept = DaemonPlace(directory / "warm", issuer, cache=True)
        with kept.running():
            kept.published()
        again = DaemonPlace(directory / "warm", issuer, cache=True, backend=_ABSENT_VAULT)

        def warm() -> float:
            with again.running() as (_, began):
                return instant_of(lambda: _answers(again.socket), "an answer") - began

        yield from _figures("start to the first answer with a warm cache", _pairs(warm, rounds), 6.0, 4.0)


def _figures(
    what: str, pairs: list[tuple[float, float]], bar: float | None, aim: float | None
) -> Iterator[Figure]:
    yield Figure(what=what, value=statistics.median(ours for ours, _ in pairs) * 1000, unit="ms")
    ratio = statistics.median(ours / bare for ours, bare in pairs)
    yield Figure(what="  to python3 -c 'import asyncio'", value=ratio, unit="x", bar=bar, aim=aim)


def _pairs(start: Callable[[], float], rounds: int) -> list[tuple[float, float]]:
    return [(start(), _bare_seconds()) for _ in range(rounds)]


def _bare_seconds() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import asyncio"], check=True)
    return time.perf_counter() - began


def _answers(path: Path) -> bool:
    with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(_GET)
        return client.recv(65_536).startswith(b"HTTP/1.1 200")
    return False


if __name__ == "__main__":
    print(head())
    for each in measure(rounds=int((*sys.argv[1:], "9")[0])):
        print(line(each), flush=True)
