"""How long `token-broker get` takes as a whole process, as a ratio to a Python that does nothing.

Owns: the pairs of runs and the figures. The broker behind the socket is the benchmark's socket server.

usage: python -m tests.bench.get_time [ROUNDS]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.bench.contestants import running_ours
from tests.bench.figures import Figure, head, line
from tests.bench.socket_server import TOKEN_NAME

NOTHING = (sys.executable, "-I", "-S", "-c", "pass")


def measure(*, rounds: int) -> Iterator[Figure]:
    """Run each way in turns with the Python that does nothing."""
    script = str(Path(sys.executable).with_name("token-broker"))
    ways = {
        "token-broker get": (script, "get", TOKEN_NAME),
        "python3 -m broker get": (sys.executable, "-m", "broker", "get", TOKEN_NAME),
    }
    with tempfile.TemporaryDirectory(prefix="bench-") as place, running_ours(Path(place)) as server:
        for what, argv in ways.items():
            pairs = [(_seconds(argv, server.path), _seconds(NOTHING, server.path)) for _ in range(rounds)]
            milliseconds = statistics.median(ours for ours, _ in pairs) * 1000
            ratio = statistics.median(ours / base for ours, base in pairs)
            installed = what.startswith("token-broker")
            bar, aim = (3.0, 1.5) if installed else (None, None)
            yield Figure(what=f"{what}, whole process", value=milliseconds, unit="ms")
            yield Figure(what="  to python3 -I -S -c pass", value=ratio, unit="x", bar=bar, aim=aim)


def _seconds(argv: Sequence[str], path: Path) -> float:
    began = time.perf_counter()
    subprocess.run(
        argv,
        check=True,
        stdout=subprocess.DEVNULL,
        env={"PATH": os.defpath, "TOKEN_BROKER_SOCKET": str(path)},
    )
    return time.perf_counter() - began


if __name__ == "__main__":
    print(head())
    for each in measure(rounds=int((*sys.argv[1:], "21")[0])):
        print(line(each), flush=True)
