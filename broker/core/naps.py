"""Sleeping on the clock that never steps.

Owns: the one way to wait for an instant. Refuses to know: what happens then.
"""

from __future__ import annotations

import asyncio

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
