"""How long a mint, a look at a secret and a stop wait for the cache: until it is known what it holds, or not long."""

from __future__ import annotations

import asyncio
import threading

import pytest

from broker.events import SecretRotated
from broker.model import Secret
from tests.core.restarted import KEY_TEXT, Restarted
from tests.virtual_time import run_virtually
from tests.waiting import eventually_async


async def hanging() -> Secret:
    """A backend that never answers."""
    await asyncio.Event().wait()
    return KEY_TEXT


def test_first_mint_waits_for_no_key_when_there_is_no_entry() -> None:
    """A backend that hangs holds up nothing that the cache could not give anyway."""

    async def scenario() -> None:
        new = Restarted(read_key=hanging)
        new.start()
        await new.world.until(0.01)
        assert 1 == len(new.world.request_times)

    run_virtually(scenario)


def test_first_mint_waits_two_seconds_for_a_key_that_hangs() -> None:
    """R-062: and not longer."""

    async def scenario() -> None:
        new = Restarted(read_key=hanging)
        new.keep()
        new.start()
        await new.world.until(3.0)
        (at,) = new.world.request_times
        assert 2.0 == pytest.approx(at, abs=0.01)

    run_virtually(scenario)


def test_secret_is_not_looked_at_before_the_cache() -> None:
    """It would be taken for a new one, and the cached token replaced at once."""

    async def slow() -> Secret:
        await asyncio.sleep(1.9)
        return KEY_TEXT

    async def scenario() -> None:
        new = Restarted(read_key=slow)
        new.keep(age=600.0)
        place = new.start(poll_seconds=1.0)
        await new.world.until(30.0)
        assert "cached-S3CR3T" == new.world.token_value(place)
        assert [] == new.world.request_times
        assert [] == new.world.observer.of(SecretRotated)

    run_virtually(scenario)


def test_process_that_stood_still_waits_for_the_cache_all_the_same() -> None:
    """Stopped or without CPU for longer than the two seconds, in the middle of reading the key."""

    async def stopped() -> Secret:
        threading.Event().wait(2.5)
        await asyncio.sleep(0.05)
        return KEY_TEXT

    async def scenario() -> None:
        new = Restarted(read_key=stopped)
        new.keep(age=600.0)
        place = new.start()
        await eventually_async(lambda: place.token.revision, what="a token")
        assert "cached-S3CR3T" == new.world.token_value(place)
        assert [] == new.world.request_times

    asyncio.run(scenario())


def test_stop_waits_a_second_for_a_key_that_hangs() -> None:
    """F-49: not longer."""

    async def scenario() -> None:
        new = Restarted(read_key=hanging)
        new.start()
        await new.world.until(1.0)
        await new.keeper.flush()
        assert 2.0 == pytest.approx(new.world.clock.now().boot - new.world.began, abs=0.01)
        assert {} == new.files.entries

    run_virtually(scenario)
