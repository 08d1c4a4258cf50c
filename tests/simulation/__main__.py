"""`make simulate`: many seeds, and for each failing one its violations and the command that replays it.

usage: python -m tests.simulation [--seeds N] [--days D] [--tokens T] [--seed S] [--script F-xx] [--jobs J]
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

from tests.simulation.run import simulate


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a seed tells its parent process."""

    seed: int
    scripts: tuple[str, ...]
    violations: tuple[str, ...]
    mints: int
    requests: int
    reads: int
    cpu_seconds: float


def play(seed: int, *, days: float, tokens: int, script: str | None) -> Outcome:
    """One seed, in whichever process."""
    began = time.process_time()
    result = simulate(seed, days=days, tokens=tokens, script=script)
    return Outcome(
        seed,
        result.scripts,
        tuple(map(str, result.violations)),
        len(result.history.minted),
        len(result.history.asked),
        len(result.history.reads),
        time.process_time() - began,
    )


def main() -> int:
    """Play and tell."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--days", type=float, default=3.0)
    parser.add_argument("--tokens", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--script", help="one scenario alone, F-01 for instance")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    one = partial(play, days=options.days, tokens=options.tokens, script=options.script)
    failed, mints, requests, reads, cpu = 0, 0, 0, 0, 0.0
    for outcome in _outcomes(one, range(options.seed, options.seed + options.seeds), options.jobs):
        mints += outcome.mints
        requests += outcome.requests
        reads += outcome.reads
        cpu += outcome.cpu_seconds
        if outcome.violations:
            failed += 1
            print(f"seed {outcome.seed} ({', '.join(outcome.scripts)}): {len(outcome.violations)} violations")
            for violation in outcome.violations[:3]:
                print(f"  {violation}")
            replay = (
                f"make simulate SEEDS=1 SEED={outcome.seed} DAYS={options.days:g} TOKENS={options.tokens}"
            )
            print(f"  replay: {replay}" + (f" SCRIPT={options.script}" if options.script else ""))
    years = options.seeds * options.days / 365
    print(
        f"{options.seeds} seeds, {years:.2f} virtual years, {options.tokens} tokens: {mints} mints, "
        f"{requests} requests, {reads} reads, {failed} seeds failed, {cpu:.0f} CPU seconds"
    )
    return 1 if failed else 0


def _outcomes(one: partial[Outcome], seeds: range, jobs: int) -> Iterator[Outcome]:
    if jobs == 1 or len(seeds) == 1:
        yield from map(one, seeds)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(one, seeds)


sys.exit(main())
