"""Sleeping on the clock that never steps.

Owns: the one way to wait for an instant. Refuses to know: what happens then.
"""

from __future__ import annotations

import asyncio

from broker.ports import Clock

LONGEST_NAP_SECONDS = 30.0
SHORTEST_NAP_SECONDS = 0.001
"""So that a rounding error between two clocks never becomes a loop without sleep."""


class Bell:
    """Ends the sleep of who sleeps beside it, one at a time; rung, it lets nobody sleep until it is silenced."""

    __slots__ = ("nap", "rung")

    def __init__(self) -> None:
        self.rung = False
        self.nap: asyncio.Future[None] | None = None
        """Of who sleeps now."""

    def ring(self) -> None:
        """Wake."""
        self.rung = True
        if self.nap is not None:
            _end(self.nap)

    def silence(self) -> None:
        """Let sleep."""
        self.rung = False


class Naps:
    """All sleeps of one event loop's core.

    asyncio's timers stand still while the machine is suspended: whoever notices that it was says `look_again`, and no
    single sleep is longer than 30 s. A future and a timer, since a timeout that ends a wait cancels a task and raises
    an exception, which is most of the work of a broker at rest.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._napping: set[asyncio.Future[None]] = set()

    async def until(self, boot: float, bell: Bell | None = None) -> bool:
        """Sleep until CLOCK_BOOTTIME reads `boot`; True if the bell was rung before."""
        bell = bell or Bell()
        loop = asyncio.get_running_loop()
        while not bell.rung and (left := boot - self.clock.now().boot) > 0:
            nap: asyncio.Future[None] = loop.create_future()
            timer = loop.call_later(max(SHORTEST_NAP_SECONDS, min(left, LONGEST_NAP_SECONDS)), _end, nap)
            self._napping.add(nap)
            bell.nap = nap
            try:
                await nap
            finally:
                timer.cancel()
                self._napping.discard(nap)
                bell.nap = None
        return bell.rung

    def look_again(self) -> None:
        """End every sleep, and begin it anew for what is left by the boot clock."""
        for nap in self._napping:
            _end(nap)


def _end(nap: asyncio.Future[None]) -> None:
    if not nap.done():
        nap.set_result(None)
