"""One simulated run: a world, a broker, scripts of faults, readers, and the verdict. A seed is a trace.

Owns: the composition and the choice of scripts. Refuses to know: what any of them does.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from broker.core.heartbeat import BEAT_SECONDS
from broker.telemetry.lines import JsonFormatter
from tests.simulation import machine_scripts, secret_scripts, server_scripts
from tests.simulation.checker import Violation
from tests.simulation.history import History
from tests.simulation.loop import VirtualLoop
from tests.simulation.process import Process
from tests.simulation.stage import Script, Stage
from tests.simulation.world import LIFETIMES, LogWitness, World

SCRIPTS: Final[dict[str, Script]] = {
    **server_scripts.SCRIPTS,
    **secret_scripts.SCRIPTS,
    **machine_scripts.SCRIPTS,
}
QUIET_SECONDS: Final = 40 * 60.0
"""At the end, so that the broker has to show that it recovers."""
ROUND_DAYS: Final = 3.0
DAY_SECONDS: Final = 86_400.0
MEMORY: Final = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one seed."""

    seed: int
    scripts: tuple[str, ...]
    history: History
    violations: list[Violation]


def simulate(
    seed: int,
    *,
    days: float,
    tokens: int,
    scripts: Sequence[str] | None = None,
    lifetimes: Sequence[int] = LIFETIMES,
    make_process: Callable[[World], Process] = Process,
) -> Result:
    """Run one seed; `scripts` are the scenarios, or None for a combination by chance."""
    plans = _plans(seed, days, scripts)
    directory = Path(tempfile.mkdtemp(prefix="simulation-", dir=MEMORY if MEMORY.is_dir() else None))
    world = World(seed=seed, tokens=tokens, directory=directory, lifetimes=lifetimes)
    if any("F-43" in played for _, played in plans):
        world.beat_seconds = BEAT_SECONDS
    was_collecting = gc.isenabled()
    gc.disable()
    try:
        with _heard(LogWitness(world.history, JsonFormatter())), _runner(world) as runner:
            runner.run(_live(world, make_process, plans))
    finally:
        shutil.rmtree(directory)
        if was_collecting:
            gc.enable()
    world.history.write("end")
    chosen = sorted({name for _, played in plans for name in played})
    return Result(seed, tuple(chosen), world.history, world.checker.violations)


def _runner(world: World) -> asyncio.Runner:
    return asyncio.Runner(loop_factory=lambda: VirtualLoop(world.time))


@contextmanager
def _heard(witness: logging.Handler) -> Iterator[None]:
    """What the broker and asyncio log goes to the witness, and to nobody else."""
    loggers = [logging.getLogger(name) for name in ("broker", "asyncio")]
    before = [(logger, logger.propagate, logger.level) for logger in loggers]
    for logger in loggers:
        logger.addHandler(witness)
        logger.propagate = False
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger, propagate, level in before:
            logger.removeHandler(witness)
            logger.propagate = propagate
            logger.setLevel(level)


def _plans(seed: int, days: float, scripts: Sequence[str] | None) -> list[tuple[float, tuple[str, ...]]]:
    """For each few days their length in seconds and their scripts, so that a year is as eventful as a week."""
    rounds = max(1, round(days / ROUND_DAYS))
    seconds = days / rounds * DAY_SECONDS
    return [
        (seconds, tuple(scripts) if scripts is not None else _by_chance(seed, number))
        for number in range(rounds)
    ]


def _by_chance(seed: int, number: int) -> tuple[str, ...]:
    rng = random.Random(f"{seed}/scripts {number}")
    return tuple(sorted(rng.sample(sorted(SCRIPTS), rng.randint(2, 5))))


async def _live(
    world: World, make_process: Callable[[World], Process], plans: Sequence[tuple[float, tuple[str, ...]]]
) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_witnessed(world))
    stage = Stage(world, make_process)
    await stage.start()
    reading = asyncio.create_task(stage.readers.run())
    for number, (seconds, scripts) in enumerate(plans):
        end = loop.time() + seconds
        async with asyncio.TaskGroup() as plays:
            for name in scripts:
                plays.create_task(_play(stage, name, world.chance(f"script {name} {number}"), end))
        await asyncio.sleep(max(0.0, end - loop.time(), QUIET_SECONDS))
        gc.collect()
    stage.readers.look(world.names)
    reading.cancel()
    stage.readers.process = None
    await stage.process.stop()


async def _play(stage: Stage, name: str, rng: random.Random, end: float) -> None:
    """One script, begun at a random time early enough that the world is quiet again before the end."""
    loop, script = asyncio.get_running_loop(), SCRIPTS[name]
    latest = max(1.0, end - QUIET_SECONDS - script.longest_seconds - loop.time())
    await asyncio.sleep(rng.uniform(0.0, latest))
    await script.play(stage, rng)


def _witnessed(world: World) -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]:
    def handler(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        world.history.write(
            "told", text=f"asyncio: {context.get('message')}: {context.get('exception')!r}", level="error"
        )

    return handler
