"""Sleeping on the clock that never steps.

Owns: the one way to wait for an instant. Refuses to know: what happens then.
"""

from __future__ import annotations

import asyncio

from broker.ports import Clock

LONGEST_NAP_SECONDS = 30.0
SHORTEST_NAP_SECONDS = 0.001
"""So that a rounding error between two clocks never becomes a loop without sleep."""


class Naps:
    """All sleeps of one event loop's core.

    asyncio's timers stand still while the machine is suspended: whoever notices that it was says `look_again`, and no
    single sleep is longer than 30 s.
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

    def look_again(self) -> None:
        """End every sleep, and begin it anew for what is left by the boot clock."""
        now = asyncio.get_running_loop().time()
        for nap in self._napping:
            if not nap.expired():
                nap.reschedule(now)
