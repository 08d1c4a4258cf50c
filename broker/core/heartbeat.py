"""The beat of the event loop: how late it is, and whether the machine was suspended.

Owns: two measurements, made at a steady pace. Refuses to know: who acts upon them (naps look at the clock again,
metrics, logs, the service manager's watchdog).
"""

from __future__ import annotations

import asyncio

from broker.core.naps import Naps
from broker.events import HeartBeat
from broker.ports import Observer

BEAT_SECONDS = 4.0
"""So that what expired during a suspension is minted again within five seconds (R-066)."""

SHORTEST_SUSPENSION_SECONDS = 1.0


class Heartbeat:
    """One per event loop."""

    def __init__(self, naps: Naps, observer: Observer, *, every_seconds: float = BEAT_SECONDS) -> None:
        self._naps = naps
        self._observer = observer
        self._every_seconds = every_seconds

    async def run(self) -> None:
        """For ever. Ends only by cancellation."""
        loop, clock = asyncio.get_running_loop(), self._naps.clock
        ahead = clock.now().boot - loop.time()
        while True:
            due = loop.time() + self._every_seconds
            await asyncio.sleep(self._every_seconds)
            now = loop.time()
            before, ahead = ahead, clock.now().boot - now
            # The loop's clock stands still in suspension, the boot clock does not.
            suspended = ahead - before if ahead - before > SHORTEST_SUSPENSION_SECONDS else 0.0
            if suspended:
                self._naps.look_again()
            self._observer(HeartBeat(late_seconds=max(0.0, now - due), suspended_seconds=suspended))
