"""On-demand renewal, its rate limit, waiting, and the pause of one authorization server."""

from __future__ import annotations

import asyncio

from broker.model import HttpRequest, HttpResponse
from tests.core.world import World, refusal
from tests.virtual_time import run_virtually


def test_a_thousand_waiters_share_one_mint() -> None:
    """R-034: callers who wait for an absent token cause one request."""

    async def scenario() -> None:
        world = World()
        world.start()
        answers = await asyncio.gather(
            *(world.store.wait_usable("deploy", min_valid_seconds=0, timeout_seconds=5) for _ in range(1000))
        )
        assert all(answers)
        assert len(world.request_times) == 1

    run_virtually(scenario)


def test_cancelled_waiter_does_not_kill_the_mint() -> None:
    """R-034: the flight belongs to the renewer, not to who asked first."""

    async def scenario() -> None:
        world = World()
        place = world.start()
        waiter = asyncio.create_task(
            world.store.wait_usable("deploy", min_valid_seconds=0, timeout_seconds=5)
        )
        await world.until(0.01)
        waiter.cancel()
        await world.until(1)
        assert place.token.record().state == "fresh"

    run_virtually(scenario)


def test_renewals_on_demand_are_limited_to_a_burst_of_three() -> None:
    """interface.md 7: a burst of three, then one per ten seconds."""

    async def scenario() -> None:
        world = World()
        world.start()
        await world.until(1)
        answers = []
        for second in range(2, 7):
            await world.until(second)
            answers.append(world.store.renew("deploy"))
        assert answers == ["started", "started", "started", "rate_limited", "rate_limited"]
        await world.until(20)
        assert world.store.renew("deploy") == "started"

    run_virtually(scenario)


def test_renewal_asked_for_during_a_pause_is_kept() -> None:
    """interface.md 7: asked for during a back-off it is pending, and done when that ends."""

    async def scenario() -> None:
        world = World()
        world.server.fault = lambda request: refusal(429, "slow_down", retry_after="30")  # noqa: ARG005 - the transport's signature
        place = world.start()
        await world.until(1)
        assert world.store.renew("deploy") == "pending"
        world.server.fault = None
        await world.until(29)
        assert place.token.record().condition == "throttled"
        await world.until(40)
        assert place.token.record().state == "fresh"
        assert len(world.request_times) == 2

    run_virtually(scenario)


def test_one_429_pauses_every_token_of_that_server() -> None:
    """R-055: fifty tokens, one 429 with Retry-After 120: no request until it is over."""

    async def scenario() -> None:
        world = World()
        for number in range(50):
            world.start(f"token{number}")
        await world.until(5)
        asked = len(world.request_times)

        def throttle(request: HttpRequest) -> HttpResponse:
            world.server.fault = None
            return refusal(429, "slow_down", retry_after="120")

        world.server.fault = throttle
        world.store.renew("token1")
        await world.until(6)
        for number in range(2, 50):
            world.store.renew(f"token{number}")
        await world.until(120)
        assert len(world.request_times) == asked + 1
        await world.until(150)
        assert len(world.request_times) == asked + 50

    run_virtually(scenario)


def test_at_most_four_mints_run_at_once() -> None:
    """R-034: the table's max_concurrent_mints bounds what one server sees."""

    async def scenario() -> None:
        world = World()
        for number in range(20):
            world.start(f"token{number}")
        await world.until(0.04)
        assert len(world.request_times) == 4
        await world.until(2)
        assert len(world.request_times) == 20

    run_virtually(scenario)


def test_min_valid_beyond_the_life_left_renews_and_waits() -> None:
    """R-139: a caller who needs more life than is left gets a renewed token."""

    async def scenario() -> None:
        world = World()
        world.server.lifetime_seconds = 300
        world.start()
        await world.until(60)
        assert await world.store.wait_usable("deploy", min_valid_seconds=280, timeout_seconds=5)
        assert len(world.request_times) == 2

    run_virtually(scenario)


def test_min_valid_that_no_token_can_meet_ends_in_time_and_costs_a_bounded_number_of_mints() -> None:
    """A caller who asks for more than the lifetime, again and again, does not make the broker mint in a loop."""

    async def scenario() -> None:
        world = World()
        world.server.lifetime_seconds = 300
        world.start()
        await world.until(1)
        for _ in range(20):
            assert not await world.store.wait_usable("deploy", min_valid_seconds=900, timeout_seconds=0.5)
        assert len(world.request_times) <= 6

    run_virtually(scenario)
