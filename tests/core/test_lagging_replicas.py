"""Replicas that answer with the past: four of five answers are of the version before the newest (F-21)."""

from __future__ import annotations

import asyncio

import pytest

from broker.core.insistence import MOST_QUESTIONS
from broker.testing.memory_backend import MemorySecretBackend
from tests.core.lagging_backend import LaggingBackend
from tests.core.world import FIRST_SECRET, World
from tests.virtual_time import run_virtually

CHANCE = 0.8


class Lagging:
    """A world with such a secret backend, and one token."""

    def __init__(self, seed: int) -> None:
        self.world = World(seed=seed)
        self.world.backend = self.backend = LaggingBackend(
            seed=seed, chance=CHANCE, now=asyncio.get_running_loop().time
        )
        self.backend.put("client", {"id": "deploy", "secret": FIRST_SECRET})
        self.place = self.world.start()

    async def rotate(self, secret: str) -> None:
        """At the server first, while a renewal is wanted, and 100 s later in the store; ends with the new token."""
        before = self.place.token.record().revision
        self.world.server.secret = secret
        self.world.store.renew("deploy")
        await asyncio.sleep(100)
        assert self.place.token.record().condition == "awaiting_secret"
        self.backend.put("client", {"id": "deploy", "secret": secret})
        assert await self.world.store.wait_revision("deploy", after=before, timeout_seconds=3600)


@pytest.mark.parametrize("seed", range(1, 26))
def test_new_secret_is_used_soon_though_most_answers_are_old(seed: int) -> None:
    """F-21: a minute after the first answer that tells of it; two after the storing, where the lag is known already."""

    async def scenario() -> None:
        lagging, now = Lagging(seed), asyncio.get_running_loop().time
        await asyncio.sleep(10)
        await lagging.rotate("S3CR3T-second")
        assert now() - lagging.backend.given_away_at < 60
        await asyncio.sleep(900)
        await lagging.rotate("S3CR3T-third")
        assert now() - lagging.backend.stored_at < 120

    run_virtually(scenario)


@pytest.mark.parametrize("seed", range(1, 11))
def test_rejected_secret_is_left_alone_once_its_successor_was_told_of(seed: int) -> None:
    """F-21, R-076: no login is made with a secret that was rejected, and has a successor that only has to be read."""

    async def scenario() -> None:
        lagging = Lagging(seed)
        await asyncio.sleep(10)
        for secret in ("S3CR3T-second", "S3CR3T-third"):
            await lagging.rotate(secret)
            told_at = lagging.backend.given_away_at
            assert [] == [at for at in lagging.world.server.refused_at if at > told_at]
            await asyncio.sleep(3600)
        assert [] == [at for at in lagging.world.server.refused_at if at > lagging.backend.given_away_at]

    run_virtually(scenario)


def test_lagging_backend_is_asked_so_often_and_no_oftener() -> None:
    """R-074: news that never come: a look and an attempt ask 16 times each for a version, and as often for a value."""

    async def scenario() -> None:
        lagging = Lagging(seed=1)
        await asyncio.sleep(10)
        await lagging.rotate("S3CR3T-second")
        lagging.backend.chance = 1.0
        lagging.world.server.secret = "S3CR3T-third"
        lagging.world.store.renew("deploy")
        await asyncio.sleep(1800)
        asked = lagging.backend.asked_at
        within = [sum(begin <= at < begin + 15 for at in asked) for begin in asked]
        assert max(within) <= 2 * MOST_QUESTIONS + 4
        assert len([at for at in asked if at > asked[-1] - 1200]) < 1200

    run_virtually(scenario)


class TellsOther(MemorySecretBackend):
    """A plug-in whose versions are of another kind than those of what it reads."""

    def version(self, path: str, *, timeout_seconds: float) -> str | None:
        return f"etag of {super().version(path, timeout_seconds=timeout_seconds)}"


def test_version_that_no_read_gives_is_not_waited_for_for_ever() -> None:
    """F-19: the client is suspended and resumed; what a backend tells of must not keep the known secret from use."""

    async def scenario() -> None:
        world = World()
        world.backend = TellsOther()
        world.backend.put("client", {"id": "deploy", "secret": FIRST_SECRET})
        place = world.start()
        await world.until(10)
        world.server.secret = "S3CR3T-suspended"
        world.store.renew("deploy")
        await world.until(300)
        assert place.token.record().condition == "awaiting_secret"
        world.server.secret = FIRST_SECRET
        await world.until(300 + 960)
        assert (2, "ok") == (place.token.record().revision, place.token.record().condition)

    run_virtually(scenario)
