"""Sleeping on the clock that never steps.

Owns: the one way to wait for an instant, and noticing that the machine was suspended. Refuses to know: what happens
then.
"""

from __future__ import annotations

import asyncio

from broker.ports import Clock

LONGEST_NAP_SECONDS = 30.0
SHORTEST_NAP_SECONDS = 0.001
"""So that a rounding error between two clocks never becomes a loop without sleep."""

SUSPENSION_LOOK_SECONDS = 4.0
SHORTEST_SUSPENSION_SECONDS = 1.0


class Naps:
    """All sleeps of one event loop's core.

    asyncio's timers stand still while the machine is suspended: `watch` ends every nap that a suspension made too long,
    and without it no single sleep is longer than 30 s.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._napping: set[asyncio.Timeout] = set()

    async def until(self, boot: float, wake: asyncio.Event | None = None) -> bool:
        """Sleep until CLOCK_BOOTTIME reads `boot`; True if `wake` was set before."""
        woken = wake or asyncio.Event()
        while (left := boot - self.clock.now().boot) > 0:
            nap = asyncio.timeout(max(SHORTEST_NAP_SECONDS, min(left, LONGEST_NAP_SECONDS)))
            self._napping.add(nap)
            try:
                async with nap:
                    await woken.wait()
            except TimeoutError:
                continue
            finally:
                self._napping.discard(nap)
            return True
        return woken.is_set()

    async def watch(self) -> None:
        """For ever: let everyone look at the clock again within 4 s of the end of a suspension (R-066)."""
        loop = asyncio.get_running_loop()
        ahead = self.clock.now().boot - loop.time()
        while True:
            await asyncio.sleep(SUSPENSION_LOOK_SECONDS)
            before, ahead = ahead, self.clock.now().boot - loop.time()
            if ahead - before > SHORTEST_SUSPENSION_SECONDS:
                for nap in self._napping:
                    nap.reschedule(loop.time())
