"""The gate of one authorization server, in virtual time."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress

from broker.core.gate import Gate
from broker.core.naps import Naps
from broker.errors import TransportError
from broker.policy import gate as gates
from broker.testing.clock import LoopClock
from tests.virtual_time import run_virtually


def test_wait_that_the_clock_cannot_tell_from_none_is_no_loop_without_sleep() -> None:
    """R-053: found by the simulation: a rounding error left a retry's budget a trillionth short of one."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        gate = Gate(max_concurrent_mints=4, naps=Naps(LoopClock(loop.time)))
        await asyncio.sleep(1_000_000)
        gate._state = gates.Gate(retries_left=1.0 - 1e-16 * 5, filled=loop.time())
        began = loop.time()
        async with gate.slot(is_retry=True, remaining_seconds=0):
            assert loop.time() - began < 1

    run_virtually(scenario)


def test_breaker_lets_one_probe_through_at_a_time() -> None:
    """R-057: five failures in a row open it; then thirty waiting tokens send one request each half minute."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        gate = Gate(max_concurrent_mints=4, naps=Naps(LoopClock(loop.time)))
        sent: list[float] = []

        async def attempt() -> None:
            with suppress(TransportError):
                async with gate.slot(is_retry=False, remaining_seconds=0):
                    sent.append(loop.time())
                    await asyncio.sleep(0.1)
                    raise TransportError("refused")

        await asyncio.gather(*(attempt() for _ in range(30)))
        probes = [later - earlier for earlier, later in itertools.pairwise(sent[8:])]
        assert len(sent) == 30
        assert min(probes) >= 30.0

    run_virtually(scenario)


def test_cancelled_probe_does_not_keep_the_breaker_shut() -> None:
    """R-061: who is cancelled while probing leaves the probe to the next one."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        gate = Gate(max_concurrent_mints=4, naps=Naps(LoopClock(loop.time)))
        gate._state = gates.Gate(unreachable_in_a_row=9, last_outcome=loop.time(), filled=1.0)

        async def probe(seconds: float) -> None:
            async with gate.slot(is_retry=True, remaining_seconds=0):
                await asyncio.sleep(seconds)

        hung = asyncio.create_task(probe(1e6))
        await asyncio.sleep(31)
        hung.cancel()
        async with asyncio.timeout(60):
            await probe(0.1)
        assert gate._state.unreachable_in_a_row == 0

    run_virtually(scenario)
