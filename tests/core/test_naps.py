"""Naps end when the clock says so or a bell is rung, and a bell that was rung lets nobody sleep."""

from __future__ import annotations

import asyncio

from broker.core.naps import Bell, Naps
from broker.testing.clock import LoopClock
from tests.virtual_time import run_virtually


def napping() -> tuple[Naps, float]:
    """Naps on the loop's clock, and the time now."""
    naps = Naps(LoopClock(asyncio.get_running_loop().time))
    return naps, naps.clock.now().boot


def test_nap_lasts_until_its_instant() -> None:
    """Also one that is longer than any single sleep, and it was not the bell that ended it."""

    async def scenario() -> None:
        naps, began = napping()
        assert not await naps.until(began + 100, Bell())
        assert 100 == round(naps.clock.now().boot - began, 2)
        assert not await naps.until(began)

    run_virtually(scenario)


def test_bell_ends_the_nap_beside_it() -> None:
    """At the instant at which it is rung, and no other nap."""

    async def scenario() -> None:
        naps, began = napping()
        bell = Bell()
        beside = asyncio.create_task(naps.until(began + 100, bell))
        other = asyncio.create_task(naps.until(began + 100, Bell()))
        await asyncio.sleep(40)
        bell.ring()
        assert await beside
        assert 40 == round(naps.clock.now().boot - began, 2)
        assert not await other

    run_virtually(scenario)


def test_bell_that_was_rung_lets_nobody_sleep_until_it_is_silenced() -> None:
    """What happened before the nap is not slept through."""

    async def scenario() -> None:
        naps, began = napping()
        bell = Bell()
        bell.ring()
        assert await naps.until(began + 100, bell)
        assert 0 == round(naps.clock.now().boot - began, 2)
        bell.silence()
        assert not await naps.until(began + 5, bell)

    run_virtually(scenario)


def test_nap_that_is_cancelled_leaves_its_bell_to_the_next() -> None:
    """A turn that is stopped in its back-off, and one that follows it."""

    async def scenario() -> None:
        naps, began = napping()
        bell = Bell()
        stopped = asyncio.create_task(naps.until(began + 100, bell))
        await asyncio.sleep(1)
        stopped.cancel()
        await asyncio.wait({stopped})
        bell.ring()
        assert await naps.until(began + 100, bell)

    run_virtually(scenario)
