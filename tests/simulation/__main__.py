"""`make simulate`: many seeds, and for each failing one its violations and the shortest command that replays it."""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

from tests.simulation.run import Result, simulate

YEAR_DAYS = 365.0


@dataclass(frozen=True, slots=True)
class Play:
    """What is simulated for each seed."""

    days: float
    tokens: int
    scripts: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a seed tells its parent process."""

    seed: int
    scripts: tuple[str, ...]
    violations: tuple[str, ...]
    replay: str
    mints: int
    requests: int
    reads: int
    virtual_seconds: float
    cpu_seconds: float


def play(seed: int, what: Play) -> Outcome:
    """One seed, in whichever process."""
    began = time.process_time()
    result = simulate(seed, days=what.days, tokens=what.tokens, scripts=what.scripts)
    records, history = result.history.records, result.history
    return Outcome(
        seed=seed,
        scripts=result.scripts,
        violations=tuple(map(str, result.violations)),
        replay=_command(seed, _shortest(result, what)) if result.violations else "",
        mints=history.count("answer", outcome="token"),
        requests=history.count("ask"),
        reads=history.reads,
        virtual_seconds=records[-1]["boot"] - records[0]["boot"],
        cpu_seconds=time.process_time() - began,
    )


def main() -> int:
    """Play and tell."""
    options = _options()
    scripts = tuple(options.script.split(",")) if options.script else None
    what = Play(options.days, options.tokens, scripts)
    began, failed, played = time.monotonic(), 0, Counter[str]()
    mints = requests = reads = 0
    virtual = cpu = 0.0
    for outcome in _outcomes(
        partial(play, what=what), range(options.seed, options.seed + options.seeds), options.jobs
    ):
        mints += outcome.mints
        requests += outcome.requests
        reads += outcome.reads
        virtual += outcome.virtual_seconds
        cpu += outcome.cpu_seconds
        played.update(outcome.scripts)
        if outcome.violations:
            failed += 1
            print(
                f"seed {outcome.seed} ({', '.join(outcome.scripts)}) breaks {len(outcome.violations)} promises:"
            )
            for violation in outcome.violations[:5]:
                print(f"  {violation}")
            print(f"  replay: {outcome.replay}", flush=True)
    print(f"scripts played: {', '.join(f'{name} {count}' for name, count in sorted(played.items()))}")
    print(
        f"{options.seeds} seeds, {options.tokens} tokens, {virtual / 86_400 / YEAR_DAYS:.2f} virtual years: "
        f"{mints} mints, {requests} requests, {reads} reads, {failed} seeds failed, "
        f"{cpu:.0f} CPU seconds, {time.monotonic() - began:.0f} s"
    )
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seeds", type=int, default=20, help="how many")
    parser.add_argument("--days", type=float, default=3.0, help="of virtual time for each")
    parser.add_argument("--tokens", type=int, default=3, help="managed tokens")
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument(
        "--script", help="these scenarios, F-01 or F-01,F-16, instead of a combination by chance"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    return parser.parse_args()


def _outcomes(one: partial[Outcome], seeds: range, jobs: int) -> Iterator[Outcome]:
    if jobs == 1 or len(seeds) == 1:
        gc.freeze()
        yield from map(one, seeds)
        return
    # What was imported is never garbage, and need not be looked at with each seed.
    with ProcessPoolExecutor(min(jobs, len(seeds)), initializer=gc.freeze) as pool:
        yield from pool.map(one, seeds)


def _shortest(result: Result, what: Play) -> Play:
    """With scripts left out, one after the other, that the first broken invariant does not need."""
    broken = result.violations[0].invariant
    needed = result.scripts
    for name in result.scripts:
        fewer = tuple(each for each in needed if each != name)
        again = simulate(result.seed, days=what.days, tokens=what.tokens, scripts=fewer)
        if any(violation.invariant == broken for violation in again.violations):
            needed = fewer
    return Play(what.days, what.tokens, None if needed == result.scripts and what.scripts is None else needed)


def _command(seed: int, what: Play) -> str:
    command = f"make simulate SEEDS=1 SEED={seed} DAYS={what.days:g} TOKENS={what.tokens}"
    return command if what.scripts is None else f"{command} SCRIPT={','.join(what.scripts)}"


if __name__ == "__main__":
    sys.exit(main())
