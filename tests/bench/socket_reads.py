"""How fast the Unix socket answers, as a ratio to nginx `return 200` with a body of the same size.

Owns: the runs and the table. Both servers and the load generator run on the same machine in turns, so that
the ratios mean something where the absolute numbers do not. Without nginx the ratios are left out.

usage: python -m tests.bench.socket_reads [--seconds N] [--rounds N] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.bench.socket_server import TOKEN_NAME
from tests.servers.nginx import find_nginx, running_nginx
from tests.servers.process import Child

SOURCE = Path(__file__).with_name("load.c")
ROOT = Path(__file__).parents[2]
SCENARIOS = (("1 connection", 1, ()), ("64 connections", 64, ()), ("connect, read, close", 1, ("close",)))
START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Row:
    """One scenario: the best round of each server. Requests a second, and microseconds."""

    scenario: str
    ours_per_second: float
    nginx_per_second: float | None
    ours_p99_us: int
    nginx_p99_us: int | None

    @property
    def ratio(self) -> float | None:
        """Ours to nginx's."""
        return self.ours_per_second / self.nginx_per_second if self.nginx_per_second else None


def measure(*, seconds: float, rounds: int) -> list[Row]:
    """Run every scenario `rounds` times on each server, in turns, and keep the best."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        load = built_load(directory)
        ours = stack.enter_context(running_ours(directory))
        nginx = find_nginx()
        theirs = stack.enter_context(running_nginx(nginx, directory)) if nginx else None
        rows = []
        for name, connections, flags in SCENARIOS:
            runs_of_ours: list[dict[str, float]] = []
            runs_of_theirs: list[dict[str, float]] = []
            for _ in range(rounds):
                for path, runs in ((ours, runs_of_ours), (theirs, runs_of_theirs)):
                    if path is not None:
                        runs.append(run_load(load, path, connections, seconds, flags))
            best = max(runs_of_ours, key=lambda run: run["per_second"])
            base = max(runs_of_theirs, key=lambda run: run["per_second"], default=None)
            rows.append(
                Row(
                    name,
                    best["per_second"],
                    base["per_second"] if base else None,
                    int(best["p99_us"]),
                    int(base["p99_us"]) if base else None,
                )
            )
        return rows


def table(rows: list[Row]) -> str:
    """The rows for people."""
    lines = [f"{'socket reads':22} {'ours/s':>9} {'nginx/s':>9} {'ratio':>6} {'p99 us':>7} {'nginx':>6}"]
    for row in rows:
        base = f"{row.nginx_per_second:9.0f}" if row.nginx_per_second else f"{'-':>9}"
        ratio = f"{row.ratio:6.2f}" if row.ratio else f"{'-':>6}"
        p99 = f"{row.nginx_p99_us:6d}" if row.nginx_p99_us is not None else f"{'-':>6}"
        lines.append(
            f"{row.scenario:22} {row.ours_per_second:9.0f} {base} {ratio} {row.ours_p99_us:7d} {p99}"
        )
    return "\n".join(lines)


@contextmanager
def running_ours(directory: Path) -> Iterator[Path]:
    with running_server(directory) as (path, _):
        yield path


@contextmanager
def running_server(directory: Path, *, renewing: int = 0) -> Iterator[tuple[Path, int]]:
    """Our server, its socket and its pid; `renewing` tokens are minted every second."""
    path = directory / f"ours-{renewing}.sock"
    child = Child(
        [sys.executable, "-m", "tests.bench.socket_server", path, str(renewing)],
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT)},
        log=path.with_suffix(".log"),
    )
    child.wait_until(path.is_socket, timeout=START_SECONDS, what="our server is there")
    try:
        yield path, child.pid
    finally:
        child.stop()


def built_load(directory: Path) -> Path:
    """The load generator."""
    load = directory / "load"
    subprocess.run(["gcc", "-O2", "-o", load, SOURCE], check=True)
    return load


def run_load(
    load: Path, path: Path, connections: int, seconds: float, flags: tuple[str, ...] = ()
) -> dict[str, float]:
    """One run: requests a second and percentiles in microseconds."""
    arguments: list[str | Path] = [
        load,
        path,
        str(connections),
        str(seconds),
        f"/v1/tokens/{TOKEN_NAME}",
        *flags,
    ]
    found: dict[str, float] = json.loads(subprocess.run(arguments, check=True, capture_output=True).stdout)
    return found


def main() -> None:
    """Print the table, and write it as JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = measure(seconds=arguments.seconds, rounds=arguments.rounds)
    sys.stdout.write(table(rows) + "\n")
    if arguments.json:
        arguments.json.write_text(json.dumps([{**asdict(row), "ratio": row.ratio} for row in rows], indent=1))


if __name__ == "__main__":
    main()
