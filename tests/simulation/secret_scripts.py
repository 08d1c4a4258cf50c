"""Scenarios about client secrets and where they are kept: F-16 to F-22, F-26, F-49.

Owns: who changes or breaks what, and when. Refuses to know: what must hold meanwhile.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Final

from broker.errors import SecretAccessDenied, SecretBackendError, SecretBackendUnavailable, SecretNotFound
from tests.simulation.authorization_server import MARKER
from tests.simulation.stage import Script, Stage

HALF_HOUR: Final = 1800.0
HOUR: Final = 3600.0
NOTICED_SECONDS: Final = 120.0
"""A poll, a mint and slack: so long after a repair the fault is counted as going on."""


async def server_first(stage: Stage, rng: random.Random) -> None:
    """F-16: the old secret is dead, and the new one comes to the store half an hour later."""
    world, name = stage.world, rng.choice(stage.world.names)
    with world.fault("F-16", "credential", (name,)):
        secret = world.another_secret(name)
        world.rotate_at_server(name, secret)
        await asyncio.sleep(rng.uniform(0.02, 1.0) * HALF_HOUR)
        world.store_secret(name, secret)
        await asyncio.sleep(NOTICED_SECONDS)


async def store_first(stage: Stage, rng: random.Random) -> None:
    """F-17: the store has a secret that the server knows half an hour later."""
    world, name = stage.world, rng.choice(stage.world.names)
    with world.fault("F-17", "credential", (name,)):
        secret = world.another_secret(name)
        world.store_secret(name, secret)
        await asyncio.sleep(rng.uniform(0.02, 1.0) * HALF_HOUR)
        world.rotate_at_server(name, secret)


async def wrong_secret(stage: Stage, rng: random.Random) -> None:
    """F-18: somebody stores a wrong secret, and mends it hours later."""
    world, name = stage.world, rng.choice(stage.world.names)
    with world.fault("F-18", "credential", (name,)):
        world.store_secret(name, f"{MARKER}mistyped-{rng.randrange(10**9)}")
        await asyncio.sleep(rng.uniform(0.1, 1.0) * 6 * HOUR)
        world.store_secret(name, world.client(name).secret)
        await asyncio.sleep(NOTICED_SECONDS)


async def suspended(stage: Stage, rng: random.Random) -> None:
    """F-19: the client is suspended, and resumed."""
    name = rng.choice(stage.world.names)
    with stage.world.fault("F-19", "credential", (name,)):
        stage.world.client(name).suspended = True
        await asyncio.sleep(rng.uniform(0.1, 1.0) * 2 * HOUR)
        stage.world.client(name).suspended = False


async def screams(stage: Stage, rng: random.Random) -> None:
    """F-20: a consumer reports the current token as refused, again and again."""
    name = rng.choice(stage.world.names)
    for _ in range(2000):
        await asyncio.sleep(rng.uniform(0.5, 2.0))
        if stage.readers.process is not None:
            stage.process.reject(name)


async def wants_more(stage: Stage, rng: random.Random) -> None:
    """A program asks for another token far too often."""
    name = rng.choice(stage.world.names)
    for _ in range(500):
        await asyncio.sleep(rng.uniform(0.1, 20.0))
        if stage.readers.process is not None:
            stage.process.renew(name)


def stale_reads(chance: float | None) -> Script:
    """F-21: after a rotation a lagging replica answers with the version before: every other time, or by chance."""

    async def play(stage: Stage, rng: random.Random) -> None:
        world, name = stage.world, rng.choice(stage.world.names)
        store, turn = world.store_of[name], [rng.randrange(2)]

        def pick(newest: int) -> int:
            turn[0] += 1
            stale = turn[0] % 2 == 0 if chance is None else rng.random() < chance
            return newest - 1 if stale else newest

        with world.fault("F-21", "stale", world.of_store(store)):
            with world.fault("F-21", "credential", (name,)):
                store.pick = pick
                secret = world.another_secret(name)
                world.rotate_at_server(name, secret)
                world.store_secret(name, secret)
                await asyncio.sleep(NOTICED_SECONDS)
            await asyncio.sleep(rng.uniform(0.1, 1.0) * 3 * HOUR)
            store.pick = None

    return Script(3 * HOUR + NOTICED_SECONDS, play)


def backend(what: str, errors: list[Callable[[], SecretBackendError]]) -> Script:
    """The secret backend says no in one of its ways; the last good secret serves."""

    async def play(stage: Stage, rng: random.Random) -> None:
        store = rng.choice(sorted(stage.world.stores.values(), key=lambda each: each.name))
        error = rng.choice(errors)

        def fault() -> None:
            raise error()

        with stage.world.fault(what, "backend", stage.world.of_store(store)):
            store.faults.append(fault)
            await asyncio.sleep(rng.uniform(0.05, 1.0) * 6 * HOUR)
            store.faults.remove(fault)

    return Script(6 * HOUR, play)


async def hanging_backend(stage: Stage, rng: random.Random) -> None:
    """F-49, F-02 for a backend: calls do not come back."""
    store = rng.choice(sorted(stage.world.stores.values(), key=lambda each: each.name))
    with stage.world.fault("F-49b", "backend", stage.world.of_store(store)):
        store.call_seconds = rng.choice([9.0, 1e9])
        await asyncio.sleep(rng.uniform(0.05, 1.0) * 3 * HOUR)
        store.call_seconds = 0.01


async def changed_while_away(stage: Stage, rng: random.Random) -> None:
    """F-16 and F-22 together: the secret changes at both ends while the backend cannot be read."""
    world, name = stage.world, rng.choice(stage.world.names)
    store = world.store_of[name]

    def fault() -> None:
        raise SecretBackendUnavailable("sealed")

    with world.fault("F-22", "backend", world.of_store(store)), world.fault("F-16", "credential", (name,)):
        store.faults.append(fault)
        await asyncio.sleep(rng.uniform(1, HOUR))
        secret = world.another_secret(name)
        world.rotate_at_server(name, secret)
        world.store_secret(name, secret)
        await asyncio.sleep(rng.uniform(1, HOUR))
        store.faults.remove(fault)
        await asyncio.sleep(NOTICED_SECONDS)


SCRIPTS: Final[dict[str, Script]] = {
    "F-16": Script(HALF_HOUR + NOTICED_SECONDS, server_first),
    "F-16b": Script(2 * HOUR + NOTICED_SECONDS, changed_while_away),
    "F-17": Script(HALF_HOUR, store_first),
    "F-18": Script(6 * HOUR + NOTICED_SECONDS, wrong_secret),
    "F-19": Script(2 * HOUR, suspended),
    "F-20": Script(4000, screams),
    "F-20b": Script(10_000, wants_more),
    "F-21": stale_reads(None),
    "F-21b": stale_reads(0.5),
    "F-22": backend("F-22", [lambda: SecretBackendUnavailable("sealed")]),
    "F-26": backend("F-26", [lambda: SecretNotFound("deleted"), lambda: SecretAccessDenied("forbidden")]),
    "F-49b": Script(3 * HOUR, hanging_backend),
}
