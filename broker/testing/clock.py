"""A clock that stands still until a test moves it.

Owns: wall and boot time as two hands that move together, and the two ways in which they part. Refuses to
know: event loops; for virtual loop time take `LoopClock`.
"""

from __future__ import annotations

from collections.abc import Callable

from broker.model import Moment

START_WALL_SECONDS = 1_700_000_000.0
START_BOOT_SECONDS = 1_000.0


class FakeClock:
    """Implements `broker.ports.Clock`."""

    def __init__(self, *, wall: float = START_WALL_SECONDS, boot: float = START_BOOT_SECONDS) -> None:
        self._wall = wall
        self._boot = boot

    def now(self) -> Moment:
        return Moment(wall=self._wall, boot=self._boot)

    def advance(self, seconds: float) -> None:
        """Time passes, awake or suspended: both hands move."""
        self._wall += seconds
        self._boot += seconds

    def step_wall(self, seconds: float) -> None:
        """An administrator or NTP sets the wall clock; the other hand never steps."""
        self._wall += seconds


class LoopClock:
    """Implements `broker.ports.Clock` over an event loop's `time`, which looptime makes virtual."""

    def __init__(self, loop_time: Callable[[], float], *, wall: float = START_WALL_SECONDS) -> None:
        self._loop_time = loop_time
        self._wall_offset = wall - loop_time()
        self._suspended_seconds = 0.0

    def now(self) -> Moment:
        seconds = self._loop_time() + self._suspended_seconds
        return Moment(wall=seconds + self._wall_offset, boot=seconds)

    def suspend(self, seconds: float) -> None:
        """The machine sleeps: both hands move, the loop's timers stand still."""
        self._suspended_seconds += seconds

    def step_wall(self, seconds: float) -> None:
        """The wall clock is set; the loop's time goes on."""
        self._wall_offset += seconds
