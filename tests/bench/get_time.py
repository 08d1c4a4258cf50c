"""How long `token-broker get` takes as a whole process, as a ratio to a Python that does nothing.

Owns: the pairs of runs and the table. The broker behind the socket is the benchmark's socket server.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.socket_reads import running_ours
from tests.bench.socket_server import TOKEN_NAME

NOTHING = (sys.executable, "-I", "-S", "-c", "pass")


@dataclass(frozen=True, slots=True)
class Row:
    """One way to start `get`: milliseconds, and the median of the ratios taken pair by pair."""

    what: str
    milliseconds: float
    ratio: float


def measure(*, rounds: int) -> list[Row]:
    """Run each way in turns with the Python that does nothing."""
    script = str(Path(sys.executable).with_name("token-broker"))
    ways = {
        "get, the installed command": (script, "get", TOKEN_NAME),
        "get, python3 -m broker": (sys.executable, "-m", "broker", "get", TOKEN_NAME),
    }
    with tempfile.TemporaryDirectory(prefix="bench-") as place, running_ours(Path(place)) as path:
        rows = []
        for what, argv in ways.items():
            pairs = [(_seconds(argv, path), _seconds(NOTHING, path)) for _ in range(rounds)]
            rows.append(
                Row(
                    what,
                    statistics.median(ours for ours, _ in pairs) * 1000,
                    statistics.median(ours / base for ours, base in pairs),
                )
            )
        return rows


def table(rows: list[Row]) -> str:
    """The rows for people."""
    head = f"{'whole process':46} {'ms':>9} {'ratio to python3 -I -S -c pass':>9}"
    return "\n".join([head, *(f"{row.what:46} {row.milliseconds:9.1f} {row.ratio:9.2f}" for row in rows)])


def _seconds(argv: Sequence[str], path: Path) -> float:
    began = time.perf_counter()
    subprocess.run(
        argv,
        check=True,
        stdout=subprocess.DEVNULL,
        env={"PATH": os.defpath, "TOKEN_BROKER_SOCKET": str(path)},
    )
    return time.perf_counter() - began
