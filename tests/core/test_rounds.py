"""Rounds: turns when they are due or woken, never two at once, a bug costs a pause."""

from __future__ import annotations

import asyncio
import logging

import pytest

from broker.core.naps import Naps
from broker.core.rounds import NOW, WOKEN, Rounds
from broker.testing.clock import LoopClock
from tests.virtual_time import run_virtually


class Work:
    """Notes when it has a turn; `answers` are given in order, then it waits to be woken."""

    def __init__(self, *answers: float, takes_seconds: float = 0.0) -> None:
        loop = asyncio.get_running_loop()
        self.clock = LoopClock(loop.time)
        self.began = self.clock.now().boot
        self.rounds = Rounds(Naps(self.clock), loop)
        self.running = loop.create_task(self.rounds.run())
        self.turns: list[float] = []
        self.fault: Exception | None = None
        self._answers = list(answers)
        self._takes_seconds = takes_seconds

    async def turn(self) -> float:
        self.turns.append(round(self.clock.now().boot - self.began, 2))
        await asyncio.sleep(self._takes_seconds)
        if self.fault is not None:
            raise self.fault
        answer = self._answers.pop(0) if self._answers else WOKEN
        return answer if answer in (NOW, WOKEN) else self.began + answer


def test_work_has_its_turns_when_it_wants_them() -> None:
    """At the start, at the instants it names, at once if it says so, and then no more."""

    async def scenario() -> None:
        work = Work(10, NOW, 70)
        work.rounds.start("work", "deploy", work)
        await asyncio.sleep(1000)
        assert [0, 10, 10, 70] == work.turns

    run_virtually(scenario)


def test_work_that_rests_has_no_task() -> None:
    """A thousand pieces of work at rest are no more tasks than the rounds themselves."""

    async def scenario() -> None:
        work = Work(*[100.0] * 1000)
        for _ in range(1000):
            work.rounds.start("work", "deploy", work)
        await asyncio.sleep(1)
        assert {asyncio.current_task(), work.running} == asyncio.all_tasks()

    run_virtually(scenario)


def test_what_wakes_work_in_its_turn_gives_it_another_one() -> None:
    """Woken three times during a turn of five seconds: one more turn after it, and never two at once."""

    async def scenario() -> None:
        work = Work(100, 100, takes_seconds=5)
        round_ = work.rounds.start("work", "deploy", work)
        for _ in range(3):
            await asyncio.sleep(1)
            round_.wake()
        await asyncio.sleep(90)
        assert [0, 5] == work.turns

    run_virtually(scenario)


def test_work_that_was_woken_early_has_one_turn_at_its_old_time() -> None:
    """Waking neither loses nor doubles what was due."""

    async def scenario() -> None:
        work = Work(50, 50, 50)
        round_ = work.rounds.start("work", "deploy", work)
        for _ in range(2):
            await asyncio.sleep(10)
            round_.wake()
        await asyncio.sleep(100)
        assert [0, 10, 20, 50] == work.turns

    run_virtually(scenario)


def test_bug_is_told_and_costs_a_pause_that_grows(caplog: pytest.LogCaptureFixture) -> None:
    """R-063: other work goes on; the pause doubles up to a minute, and begins anew after a turn without a bug."""

    async def scenario() -> None:
        broken, sound = Work(), Work(20, 40)
        broken.fault = ZeroDivisionError("S3CR3T-never-told")
        broken.rounds.start("broken", "deploy", broken)
        broken.rounds.start("sound", "deploy", sound)
        await asyncio.sleep(200)
        assert [0, 1, 3, 7, 15, 31, 63, 123, 183] == broken.turns
        assert [0, 20, 40] == sound.turns

    with caplog.at_level(logging.CRITICAL, logger="broker.core.rounds"):
        run_virtually(scenario)


def test_stopped_work_has_no_turn_any_more() -> None:
    """Neither the one that is due nor one that it is woken for; a turn under way is cancelled."""

    async def scenario() -> None:
        resting, busy = Work(10), Work(takes_seconds=50)
        rests = resting.rounds.start("resting", "deploy", resting)
        works = busy.rounds.start("busy", "deploy", busy)
        await asyncio.sleep(1)
        assert rests.stop() is None
        turn = works.stop()
        assert turn is not None
        await asyncio.wait([turn])
        assert turn.cancelled()
        rests.wake()
        works.wake()
        await asyncio.sleep(100)
        assert [[0], [0]] == [resting.turns, busy.turns]

    run_virtually(scenario)


def test_work_that_hangs_is_waited_for_by_its_like_alone() -> None:
    """R-062: five hundred that hang at one server are there first; who asks another one waits half a second."""

    async def scenario() -> None:
        work = Work(takes_seconds=10_000)
        sound = [Work() for _ in range(100)]
        for _ in range(500):
            work.rounds.start("renewer", "deploy", work, through="hangs")
        for each in sound:
            work.rounds.start("renewer", "deploy", each, through="answers")
        await asyncio.sleep(0.5)
        assert (40, 0) == (len(work.turns), sum(len(each.turns) for each in sound))
        await asyncio.sleep(0.1)
        assert [[0.5]] * 100 == [each.turns for each in sound]
        await asyncio.sleep(10)
        assert 500 == len(work.turns)

    run_virtually(scenario)


def test_work_of_what_no_longer_hangs_has_its_turn_like_any_other() -> None:
    """A server that answers again is behind nobody."""

    async def scenario() -> None:
        slow, quick = Work(takes_seconds=2), Work(takes_seconds=0.1)
        quick.rounds = slow.rounds
        for _ in range(50):
            slow.rounds.start("renewer", "deploy", slow, through="one")
        await asyncio.sleep(5)
        slow.turns.clear()
        for _ in range(25):
            slow.rounds.start("renewer", "deploy", slow, through="one")
            slow.rounds.start("renewer", "deploy", quick, through="other")
        await asyncio.sleep(0)
        assert [5.0] * 20 == slow.turns
        assert [5.0] * 20 == quick.turns

    run_virtually(scenario)
