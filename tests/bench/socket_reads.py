"""How fast the Unix socket answers, as a ratio to nginx `return 200` and to a C server that does no work.

Owns: the scenarios and their figures. All servers run on the same machine in turns, so that the ratios mean something
where the absolute numbers do not. Without nginx its ratios are left out.

usage: python -m tests.bench.socket_reads [SECONDS [ROUNDS]]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from pathlib import Path

from tests.bench.contestants import (
    Run,
    built,
    on_one_core,
    run_load,
    running_epoll,
    running_nginx_if_installed,
    running_ours,
)
from tests.bench.figures import Figure, head, line

Runs = dict[str, list[Run]]


def measure(*, seconds: float, rounds: int) -> Iterator[Figure]:
    """Every scenario `rounds` times on each server, in turns."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        load = built("load", directory)
        nginx = stack.enter_context(running_nginx_if_installed(directory))
        servers = [
            stack.enter_context(running_ours(directory)),
            *([nginx] if nginx else ()),
            stack.enter_context(running_epoll(directory)),
        ]

        def runs(connections: int, *flags: str, pinned: bool = False) -> Runs:
            found: Runs = {server.name: [] for server in servers}
            for _ in range(rounds):
                for server in servers:
                    with on_one_core(server.pid) if pinned else nullcontext():
                        found[server.name].append(run_load(load, server, connections, seconds, flags))
            return found

        many = runs(64)
        yield from _rates("reads, 64 connections", many, bar=0.8, aim=1.0)
        yield from _latencies("reads, 64 connections", many)
        yield from _cpu("reads, 64 connections", many)
        yield from _rates("reads, 1 connection, all on one core", runs(1, pinned=True), bar=0.85, aim=1.0)
        yield from _rates("connect, read, close", runs(1, "close"), bar=0.5, aim=0.8)


def _rates(what: str, runs: Runs, *, bar: float, aim: float) -> Iterator[Figure]:
    """Best against best: other work on the machine only ever slows a run."""
    best = {name: max(run.per_second for run in of_one) for name, of_one in runs.items()}
    yield Figure(what=what, value=best["ours"], unit="/s", more_is_better=True)
    if "nginx" in best:
        ratio = best["ours"] / best["nginx"]
        yield Figure(what="  to nginx", value=ratio, unit="x", bar=bar, aim=aim, more_is_better=True)
    yield Figure(what="  to a C server", value=best["ours"] / best["C"], unit="x", more_is_better=True)


def _latencies(what: str, runs: Runs) -> Iterator[Figure]:
    """Medians of the rounds."""
    for name, bar, aim in (("p50", None, None), ("p99", 1.5, 1.0)):
        found = {
            server: statistics.median(getattr(run, f"{name}_us") for run in of_one)
            for server, of_one in runs.items()
        }
        yield Figure(what=f"{what}: {name}", value=found["ours"], unit="us")
        if "nginx" in found:
            yield Figure(what="  to nginx", value=found["ours"] / found["nginx"], unit="x", bar=bar, aim=aim)


def _cpu(what: str, runs: Runs) -> Iterator[Figure]:
    """The least of the rounds; 8 us were allowed where nginx took 4.8."""
    least = {name: min(run.cpu_us for run in of_one) for name, of_one in runs.items()}
    yield Figure(what=f"{what}: CPU a request", value=least["ours"], unit="us")
    if "nginx" in least:
        ratio = least["ours"] / least["nginx"]
        yield Figure(what="  to nginx", value=ratio, unit="x", bar=8.0 / 4.8, aim=1.0)


if __name__ == "__main__":
    print(head())
    for each in measure(seconds=float((*sys.argv[1:], "1")[0]), rounds=int((*sys.argv[2:], "5")[0])):
        print(line(each), flush=True)
