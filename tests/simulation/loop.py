"""An event loop without a selector, on time that moves only when nothing is left to do.

Owns: virtual time. Refuses to know: what runs on it. What remains of asyncio's own loop is how it begins and ends,
and its tasks; waiting for file descriptors is taken out, and so is what debugging and threads cost, so that a day of a
broker's life takes as long as its callbacks.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Final, TypeVarTuple

from broker.model import Moment

Ts = TypeVarTuple("Ts")

START_WALL = 1_700_000_000.0
START_BOOT = 5_000.0

MOST_TURNS = 100_000
"""Of the loop at one instant; real work takes a few dozen."""

_NOTHING_SHOWN: Final = (-1.0, Moment(0.0, 0.0))


class Standstill(RuntimeError):
    """Time does not move any more."""


class Time:
    """Three hands: the loop's (stands still in suspend), the boot clock's, the wall's (may be set)."""

    def __init__(self) -> None:
        self.loop = 0.0
        self._boot_offset = START_BOOT
        self._wall_offset = START_WALL
        self._shown = _NOTHING_SHOWN
        """The loop's hand, and what was answered then: nobody asks only once in an instant."""

    def now(self) -> Moment:
        """Implements `broker.ports.Clock`."""
        at, moment = self._shown
        if at != self.loop:
            moment = Moment(self.loop + self._wall_offset, self.loop + self._boot_offset)
            self._shown = self.loop, moment
        return moment

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
        self._shown = _NOTHING_SHOWN

    def step_wall(self, seconds: float) -> None:
        """Somebody sets the clock."""
        self._wall_offset += seconds
        self._shown = _NOTHING_SHOWN

    def freeze(self, seconds: float) -> None:
        """The process does not run (SIGSTOP, starvation): all hands move, and every timer is late."""
        self.loop += seconds


class _Call(asyncio.TimerHandle):
    """What the loop is asked to call, without what debugging asks for."""

    __slots__ = ()
    _when: float

    def __init__(
        self, callback: Callable[..., object], args: tuple[Any, ...], context: contextvars.Context | None
    ) -> None:
        self._callback = callback
        self._args = args
        self._context = contextvars.copy_context() if context is None else context
        self._cancelled = False

    def cancel(self) -> None:
        """The loop is not told: it looks when it comes to this call."""
        self._cancelled = True
        self._callback, self._args = _nothing, ()


class VirtualLoop(asyncio.BaseEventLoop):
    """asyncio's loop on `Time`: its tasks, futures and order of calls, and a scheduler that only has to count.

    Timers that are due at the same instant are called in the order in which they were set.
    """

    _ready: deque[_Call]
    _stopping: bool

    def __init__(self, time: Time) -> None:
        super().__init__()
        self._virtual = time
        self._timers: list[tuple[float, int, _Call]] = []
        self._count = 0
        self._turns = 0

    def time(self) -> float:
        return self._virtual.loop

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        call = _Call(callback, args, context)
        self._ready.append(call)
        return call

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self._virtual.loop + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        call = _Call(callback, args, context)
        call._when = when
        self._count += 1
        heappush(self._timers, (when, self._count, call))
        return call

    def _run_once(self) -> None:
        """Until the loop is stopped: do what is due, and let time pass where nothing is."""
        ready = self._ready
        while True:
            self._make_ready()
            for _ in range(len(ready)):
                call = ready.popleft()
                if call._cancelled:
                    continue
                try:
                    call._context.run(call._callback, *call._args)
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as error:  # noqa: BLE001 - as asyncio's own handles do it
                    self.call_exception_handler(
                        {"message": f"Exception in callback {call._callback}", "exception": error}
                    )
            if self._stopping:
                return

    def _make_ready(self) -> None:
        ready, timers, time = self._ready, self._timers, self._virtual
        while timers and timers[0][2]._cancelled:
            heappop(timers)
        if not ready and not self._stopping:
            if not timers:
                raise Standstill("everything waits for something that cannot happen")
            if timers[0][0] > time.loop:
                time.loop = timers[0][0]
                self._turns = 0
        self._turns += 1
        if self._turns > MOST_TURNS:
            raise Standstill("somebody loops without sleeping")
        now = time.loop
        while timers and timers[0][0] <= now:
            ready.append(heappop(timers)[2])

    def _write_to_self(self) -> None:
        """Nothing sleeps that would have to be woken."""


def _nothing(*_: object) -> None:
    """What a cancelled call refers to."""
