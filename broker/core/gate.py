"""The gate before one authorization server: how many mints at once, and the pause it asked for.

Owns: the concurrency limit and the 429 pause of one `[authorization_servers.NAME]` table, shared by all of its tokens.
Refuses to know: why a pause is due and for how long (`policy.retry`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from broker.ports import Clock

LONGEST_NAP_SECONDS = 30.0
SHORTEST_NAP_SECONDS = 0.001
"""So that a rounding error between two clocks never becomes a loop without sleep."""


async def nap_until(boot: float, clock: Clock, wake: asyncio.Event | None = None) -> bool:
    """Sleep until CLOCK_BOOTTIME reads `boot`; True if `wake` was set before.

    asyncio's timers stand still while the machine is suspended, so no single sleep is longer than 30 s.
    """
    while (left := boot - clock.now().boot) > 0:
        nap = max(SHORTEST_NAP_SECONDS, min(left, LONGEST_NAP_SECONDS))
        if wake is None:
            await asyncio.sleep(nap)
            continue
        try:
            async with asyncio.timeout(nap):
                await wake.wait()
        except TimeoutError:
            continue
        return True
    return wake is not None and wake.is_set()


class Gate:
    """Pause and concurrency limit of one authorization server."""

    def __init__(self, *, max_concurrent_mints: int, clock: Clock) -> None:
        self._slots = asyncio.Semaphore(max_concurrent_mints)
        self._clock = clock
        self._paused_until = 0.0

    def pause(self, seconds: float) -> None:
        """Let nobody through for that long; a shorter pause never cuts a longer one."""
        self._paused_until = max(self._paused_until, self._clock.now().boot + seconds)

    @property
    def paused_seconds(self) -> float:
        """Seconds of pause left; zero when open."""
        return max(0.0, self._paused_until - self._clock.now().boot)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for the end of the pause, then for one of the slots."""
        async with self._slots:
            while self.paused_seconds > 0:
                await nap_until(self._paused_until, self._clock)
            yield
