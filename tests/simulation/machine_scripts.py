"""Scenarios about the machine and the process: clocks, suspend, starvation, restart, reload, and everything at once.

Owns: F-42 to F-44, F-46, F-49 to F-51, F-56, F-59 and R-012. Refuses to know: what must hold meanwhile.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Final

from broker.errors import ConfigError, SecretBackendUnavailable
from tests.simulation.server_scripts import black_hole, refused
from tests.simulation.stage import Script, Stage, faulty

HOUR: Final = 3600.0


async def clock_steps(stage: Stage, rng: random.Random) -> None:
    """F-42: the wall clock jumps by an hour, by ten years, and back; it excuses nothing."""
    world = stage.world
    for _ in range(6):
        seconds = rng.choice([1.0, HOUR, 3.15e8]) * rng.choice([1, -1])
        for step in (seconds, -seconds):
            world.look(world.names)
            world.time.step_wall(step)
            world.look(world.names)
            await asyncio.sleep(rng.uniform(1, HOUR))


async def leap_seconds(stage: Stage, rng: random.Random) -> None:
    """F-42: somebody's wall clock leaps back a second every second."""
    for _ in range(rng.randrange(60, 600)):
        stage.world.time.step_wall(-1.0)
        await asyncio.sleep(1.0)


async def suspend(stage: Stage, rng: random.Random) -> None:
    """F-43: the machine sleeps for up to thirteen hours."""
    world = stage.world
    with world.fault("F-43", "machine", world.names):
        world.time.suspend(rng.choice([60.0, HOUR, 13 * HOUR]) * rng.uniform(0.5, 1.0))


async def frozen(stage: Stage, rng: random.Random) -> None:
    """F-44: the process is stopped for seconds to an hour, several times."""
    world = stage.world
    for _ in range(5):
        with world.fault("F-44", "machine", world.names):
            world.time.freeze(rng.choice([0.5, 10.0, 600.0, HOUR]))
        await asyncio.sleep(rng.uniform(1, HOUR))


async def starved(stage: Stage, rng: random.Random) -> None:
    """F-46: every turn of the loop is late, for half an hour."""
    world, loop = stage.world, asyncio.get_running_loop()
    end = loop.time() + HOUR / 2
    with world.fault("F-46", "machine", world.names):
        while loop.time() < end:
            await asyncio.sleep(rng.uniform(0.01, 3.0))
            world.time.freeze(rng.uniform(0.0, 9.0))


async def restarts(stage: Stage, rng: random.Random) -> None:
    """F-47, F-48: the process is stopped or killed and started again, everything else being well."""
    for _ in range(3):
        await stage.restart(kill=rng.random() < 0.5, down_seconds=rng.uniform(0, 30))
        await asyncio.sleep(rng.uniform(0, HOUR))


async def spoilt_cache(stage: Stage, rng: random.Random) -> None:
    """F-51: what was kept is cut short, overwritten, another token's, or of an unknown version, before a restart."""
    directory = stage.world.directory / "state" / "cache"
    older = {file.name: file.read_bytes() for file in directory.glob("*.jwe")}

    def spoil() -> None:
        files = sorted(directory.glob("*.jwe"))
        contents = [file.read_bytes() for file in files]
        for file, content in zip(files, contents, strict=True):
            spoilt = [b"", content[:-9], content[1:], content + b"x", content.replace(b".", b"", 1)]
            foreign = [rng.randbytes(400), rng.choice(contents), older.get(file.name, b"{}")]
            file.write_bytes(rng.choice([*spoilt, *foreign]))

    for _ in range(3):
        await stage.restart(kill=rng.random() < 0.5, down_seconds=rng.uniform(0, 30), meanwhile=spoil)
        await asyncio.sleep(rng.uniform(0, HOUR))


async def restart_in_outage(stage: Stage, rng: random.Random) -> None:
    """F-49, F-50: stopped while every upstream hangs, and started while every upstream is away."""
    world = stage.world
    with ExitStack() as stack:
        for server in world.servers:
            stack.enter_context(faulty(server, black_hole(stage, rng)))
        stack.enter_context(world.fault("F-50", "network", world.names))
        for store in world.stores.values():
            store.call_seconds = 1e9
        await asyncio.sleep(rng.uniform(1, HOUR))
        await stage.restart(kill=rng.random() < 0.5, down_seconds=rng.uniform(0, 30))
        await asyncio.sleep(rng.uniform(1, HOUR))
        for store in world.stores.values():
            store.call_seconds = 0.01


async def cut_and_mended(stage: Stage, rng: random.Random) -> None:
    """F-56: a random part of everything is cut one by one, and restored in another order."""
    world = stage.world
    cuts: list[Callable[[ExitStack], None]] = []
    for server in world.servers:
        fault = rng.choice([refused, black_hole])(stage, rng)

        def cut_server(stack: ExitStack, server=server, fault=fault) -> None:  # type: ignore[no-untyped-def]
            stack.enter_context(world.fault("F-56", "network", world.of_server(server)))
            stack.enter_context(faulty(server, fault))

        cuts.append(cut_server)
    for store in world.stores.values():

        def away() -> None:
            raise SecretBackendUnavailable("connection refused")

        def cut_store(stack: ExitStack, store=store, away=away) -> None:  # type: ignore[no-untyped-def]
            stack.enter_context(world.fault("F-56", "backend", world.of_store(store)))
            store.faults.append(away)
            stack.callback(store.faults.remove, away)

        cuts.append(cut_store)
    stacks: list[ExitStack] = []
    for cut in rng.sample(cuts, rng.randint(1, len(cuts))):
        stack = ExitStack()
        cut(stack)
        stacks.append(stack)
        await asyncio.sleep(rng.uniform(0, HOUR / 2))
    for stack in rng.sample(stacks, len(stacks)):
        stack.close()
        await asyncio.sleep(rng.uniform(0, HOUR / 2))


async def all_at_once(stage: Stage, rng: random.Random) -> None:
    """F-59: every token is renewed in one second, so that all of them would end together."""
    if stage.readers.process is None:
        return
    for name in stage.world.names:
        stage.process.renew(name)
    await asyncio.sleep(60)


async def reloads(stage: Stage, rng: random.Random) -> None:
    """R-012: reloads with nothing changed, something, another identity, and a broken file."""
    world, extra = stage.world, dict.fromkeys(stage.world.names, "")
    scopes = dict.fromkeys(stage.world.names, "")
    for _ in range(8):
        name = rng.choice(world.names)
        kind = rng.choice(["nothing", "poll", "scope", "broken"])
        if kind == "scope":
            scopes[name] = f'scope = ["s{rng.randrange(1000)}"]'
        elif kind == "poll":
            extra[name] = f'poll_secret_version = "{rng.randrange(50, 60)}s"'
        stage.configure(extra={each: f"{scopes[each]}\n{extra[each]}" for each in world.names})
        if kind == "broken":
            (world.directory / "config.toml").write_text("[tokens.t0]\nclient = ")
            with suppress(ConfigError):
                await stage.reload()
        else:
            await stage.reload(changed=(name,) if kind == "scope" else ())
        await asyncio.sleep(rng.uniform(0, HOUR))
    stage.configure()
    await stage.reload(changed=tuple(name for name in world.names if scopes[name]))


SCRIPTS: Final[dict[str, Script]] = {
    "F-42": Script(12 * HOUR, clock_steps),
    "F-42b": Script(600, leap_seconds),
    "F-43": Script(13 * HOUR, suspend),
    "F-44": Script(5 * 2 * HOUR, frozen),
    "F-46": Script(HOUR / 2 + 10, starved),
    "F-48": Script(3 * HOUR + 100, restarts),
    "F-50": Script(2 * HOUR + 40, restart_in_outage),
    "F-51": Script(3 * HOUR + 100, spoilt_cache),
    "F-56": Script(4 * HOUR, cut_and_mended),
    "F-59": Script(60, all_at_once),
    "R-012": Script(8 * HOUR, reloads),
}
