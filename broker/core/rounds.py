"""Work that is done again and again, and rests in between without a task of its own.

Owns: when each piece of work has its next turn, that none has two at once, the guard around it: a bug is told and
followed by a pause, no other work notices (R-063). Refuses to know: what the work is. A managed token rests nearly all
of its life; tasks that sleep would be most of the memory it takes.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from heapq import heappop, heappush
from math import inf
from typing import Any, Final, Protocol
from weakref import WeakValueDictionary

from broker.core.naps import Bell, Naps
from broker.policy import retry

IDLE_SECONDS: Final = 60.0
YOUNG_SECONDS: Final = 0.5
MOST_TOGETHER: Final = 40
"""So many turns begin together; the next begin when these are over or no longer young. A thousand tokens that start
at once would else take the memory of a thousand attempts for a moment, and the process would keep it; turns that hang
hold up the others for half a second, once: then those come first that go through something else. Together, so that
their secrets can be read together."""
NOW: Final = -inf
"""As the answer of a turn: again, at once."""
WOKEN: Final = inf
"""As the answer of a turn: not before something wakes it."""


class Work(Protocol):
    """What has turns."""

    async def turn(self) -> float:
        """Do what there is to do; answer the reading of the boot clock at which the next turn is wanted."""
        ...


class TaskMaker(Protocol):
    """A task group, so that turns end with it; or an event loop."""

    def create_task(self, work: Coroutine[Any, Any, None], /, *, name: str) -> asyncio.Task[None]:
        """Begin a task."""
        ...


log = logging.getLogger(__name__)


class Rounds:
    """All such work of one event loop. `run` is the root task that begins turns that are due, in tasks of `group`."""

    def __init__(self, naps: Naps, group: TaskMaker) -> None:
        self.clock = naps.clock
        self.group = group
        self._naps = naps
        self._due: list[tuple[float, Round]] = []
        self._sooner = Bell()
        self._young: dict[Round, float] = {}
        self._together = 0
        self._lines: WeakValueDictionary[str, Line] = WeakValueDictionary()
        self._waiting: dict[Line, None] = {}
        """Lines in which somebody waits, in the order of their turns."""

    def start(self, kind: str, of: str, work: Work, *, at: float = NOW, through: str | None = None) -> Round:
        """Give work its first turn, now if nothing else is said; people know it by what it is and of which token.

        `through` names what it may hang at, by default what it is: work that hangs is waited for by its like alone.
        """
        name = through or kind
        line = self._lines.get(name)
        if line is None:
            line = self._lines[name] = Line()
        started = Round(self, kind, of, work, line)
        if at == NOW:
            started.wake()
        else:
            started.rest(at)
        return started

    async def run(self) -> None:
        """For ever. Ends only by cancellation."""
        while True:
            self._sooner.silence()
            now = self.clock.now().boot
            while self._due and self._due[0][0] <= now:
                due, work = heappop(self._due)
                if work.due == due:
                    work.due = WOKEN
                    work.wake()
            self._let_begin()
            # Without work there is nothing to wait for but work.
            due = self._due[0][0] if self._due else now + IDLE_SECONDS
            if self._waiting:
                due = min(due, now + YOUNG_SECONDS)
            await self._naps.until(due, self._sooner)

    def ask(self, work: Round) -> None:
        """Have a turn begun as soon as it may be."""
        anybody = bool(self._waiting)
        work.line.waiting.append(work)
        self._waiting[work.line] = None
        self._let_begin()
        if self._waiting and not anybody:
            self._sooner.ring()

    def over(self, work: Round) -> None:
        """A turn has ended."""
        work.line.hangs = False
        self._young.pop(work, None)
        self._let_begin()

    def _let_begin(self) -> None:
        if not self._waiting:
            return
        now = self.clock.now().boot
        while self._young and next(iter(self._young.values())) + YOUNG_SECONDS <= now:
            work = next(iter(self._young))
            work.line.hangs = True
            del self._young[work]
        if not self._young:
            self._together = 0
        while self._waiting and self._together < MOST_TOGETHER:
            work = self._next()
            if work.begin():
                self._young[work] = now
                self._together += 1

    def _next(self) -> Round:
        """Of the lines that move, or of all if none does, each in its turn."""
        line = next((each for each in self._waiting if not each.hangs), None) or next(iter(self._waiting))
        del self._waiting[line]
        work = line.waiting.popleft()
        if line.waiting:
            self._waiting[line] = None
        return work

    def at(self, due: float, work: Round) -> None:
        """Wake this work then."""
        heappush(self._due, (due, work))
        if self._due[0][1] is work:
            self._sooner.ring()


class Line:
    """Work that may hang at the same thing; `hangs` while turns of it lately did."""

    __slots__ = ("__weakref__", "hangs", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[Round] = deque()
        self.hangs = False


class Round:
    """One piece of work: at rest until `due`, about to have a turn, or in it."""

    __slots__ = (
        "_again",
        "_asked",
        "_pause_seconds",
        "_rounds",
        "_task",
        "_work",
        "due",
        "kind",
        "line",
        "of",
    )

    def __init__(self, rounds: Rounds, kind: str, of: str, work: Work, line: Line) -> None:
        self.kind = kind
        self.line = line
        self.of = of
        self.due = WOKEN
        self._rounds = rounds
        self._work: Work | None = work
        self._task: asyncio.Task[None] | None = None
        self._again = False
        self._asked = False
        self._pause_seconds = 0.0

    def __lt__(self, other: Round) -> bool:
        """Of those that are due at one instant none comes first."""
        return False

    @property
    def _name(self) -> str:
        return f"{self.kind} {self.of}"

    def wake(self) -> None:
        """Have a turn now; if there is one, then another one after it."""
        if self._task is not None:
            self._again = True
        elif self._work is not None and not self._asked:
            self._asked = True
            self._rounds.ask(self)

    def begin(self) -> bool:
        """Have the turn that was asked for; False if it was stopped meanwhile."""
        self._asked = False
        if self._work is not None:
            self._task = self._rounds.group.create_task(self._take_turns(self._work), name=self._name)
        return self._work is not None

    def stop(self) -> asyncio.Task[None] | None:
        """No more turns; the present one, if any, is cancelled."""
        self._work, self.due = None, WOKEN
        if self._task is not None:
            self._task.cancel()
        return self._task

    async def _take_turns(self, work: Work) -> None:
        clock = self._rounds.clock
        try:
            due = NOW
            while self._again or due <= clock.now().boot:
                self._again = False
                due = await self._guarded(work)
        finally:
            self._task = None
            self._rounds.over(self)
        self.rest(due)

    def rest(self, due: float) -> None:
        """Have the next turn then."""
        if due not in (self.due, WOKEN):
            self._rounds.at(due, self)
        self.due = due

    async def _guarded(self, work: Work) -> float:
        began = self._rounds.clock.now().boot
        try:
            due = await work.turn()
        except Exception:
            log.exception("task failed", extra={"event": "task_failed", "task": self._name})
        else:
            self._pause_seconds = 0.0
            return due
        now = self._rounds.clock.now().boot
        self._pause_seconds = retry.bug_delay(self._pause_seconds, ran_seconds=now - began)
        return now + self._pause_seconds
