"""The machine is suspended: the loop's timers stand still, tokens go on ageing."""

from __future__ import annotations

import asyncio

from broker.core.heartbeat import Heartbeat
from tests.core.world import LIFETIME_SECONDS, World
from tests.virtual_time import run_virtually

RESUMED_SECONDS = 5.0


def test_token_that_expired_in_suspension_is_minted_again_within_five_seconds() -> None:
    """R-066, F-43: thirteen hours asleep are longer than a token's life; nobody waits for the next long nap to end."""

    async def scenario() -> None:
        world = World()
        place = world.start()
        beating = asyncio.create_task(Heartbeat(world.naps, world.observer).run())
        for number in range(1, 12):
            await world.until(100.0 * number + number / 2)
            before = len(world.request_times)
            world.clock.suspend(LIFETIME_SECONDS + 3600)
            assert place.token.record().state == "expired"
            await asyncio.sleep(RESUMED_SECONDS)
            assert before + 1 == len(world.request_times)
            assert place.token.record().state == "fresh"
        beating.cancel()

    run_virtually(scenario)


def test_nap_that_is_not_over_goes_on_after_a_suspension() -> None:
    """A nap of an hour, after half an hour of suspension, ends when the hour is over on the boot clock."""

    async def scenario() -> None:
        world = World()
        beating = asyncio.create_task(Heartbeat(world.naps, world.observer).run())
        began = world.clock.now().boot
        nap = asyncio.create_task(world.naps.until(began + 3600))
        await asyncio.sleep(10)
        world.clock.suspend(1800)
        assert not await nap
        assert began + 3600 <= world.clock.now().boot < began + 3601
        beating.cancel()

    run_virtually(scenario)


def test_nap_that_is_ending_hinders_nobody_from_looking_again() -> None:
    """Its time is over in the very turn of the loop in which the suspension is noticed."""

    async def scenario() -> None:
        world = World()
        loop = asyncio.get_running_loop()
        began, began_loop = world.clock.now().boot, loop.time()
        naps = [asyncio.create_task(world.naps.until(began + seconds)) for seconds in (5.0, 3600.0)]
        await asyncio.sleep(0)
        loop.call_at(began_loop + 5.0 + 1e-10, world.naps.look_again)
        await asyncio.sleep(1)
        world.clock.suspend(3600)
        await asyncio.sleep(4.1)
        assert [True, True] == [nap.done() for nap in naps]

    run_virtually(scenario)
