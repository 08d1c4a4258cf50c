"""An event loop without a selector, on time that moves only when nothing is left to do.

Owns: virtual time. Refuses to know: what runs on it. asyncio's own loop does the scheduling; waiting for file
descriptors is what is taken out, so that a day of a broker's life takes as long as its callbacks.
"""

from __future__ import annotations

import asyncio
from typing import Any

from broker.model import Moment

START_WALL = 1_700_000_000.0
START_BOOT = 5_000.0


MOST_TURNS = 100_000
"""Of the loop at one instant; real work takes a few dozen."""


class Standstill(RuntimeError):
    """Time does not move any more."""


class Time:
    """Three hands: the loop's (stands still in suspend), the boot clock's, the wall's (may be set)."""

    def __init__(self) -> None:
        self.loop = 0.0
        self._boot_offset = START_BOOT
        self._wall_offset = START_WALL

    def now(self) -> Moment:
        """Implements `broker.ports.Clock`."""
        return Moment(self.loop + self._wall_offset, self.loop + self._boot_offset)

    def boot(self) -> float:
        """The boot clock alone."""
        return self.loop + self._boot_offset

    def hands(self) -> tuple[float, float, float]:
        """Loop, boot and wall."""
        return self.loop, self.loop + self._boot_offset, self.loop + self._wall_offset

    def suspend(self, seconds: float) -> None:
        """The machine sleeps: timers stand still."""
        self._boot_offset += seconds
        self._wall_offset += seconds

    def step_wall(self, seconds: float) -> None:
        """Somebody sets the clock."""
        self._wall_offset += seconds

    def freeze(self, seconds: float) -> None:
        """The process does not run (SIGSTOP, starvation): all hands move, and every timer is late."""
        self.loop += seconds


class _NoSelector:
    """Stands where the loop would wait for file descriptors, and lets time pass instead."""

    def __init__(self, time: Time) -> None:
        self._time = time
        self._turns = 0

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise Standstill("everything waits for something that cannot happen")
        self._turns += 1
        if timeout > 0:
            before = self._time.loop
            self._time.loop += timeout
            if self._time.loop > before:
                self._turns = 0
        if self._turns > MOST_TURNS:
            raise Standstill("somebody loops without sleeping, or sleeps for less than the clock can show")
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """asyncio's scheduler on `Time`."""

    def __init__(self, time: Time) -> None:
        super().__init__()
        self._virtual = time
        self._selector = _NoSelector(time)
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self._virtual.loop

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nothing sleeps that would have to be woken."""
