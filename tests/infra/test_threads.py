"""Calls in daemon threads: deadlines, abandonment, replacements, and an exit that waits for nobody."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import NoReturn

import pytest

from broker.events import WorkersStuck
from broker.infra.threads import MOST_STUCK_PER_WORKER, DaemonThreadPool
from broker.testing.observer import RecordingObserver
from tests.virtual_time import run_virtually
from tests.waiting import eventually, eventually_async

LONG_SECONDS = 30.0
SHORT_SECONDS = 0.05


@pytest.fixture
def observer() -> RecordingObserver:
    """What the pool reports."""
    return RecordingObserver()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What hung calls wait for; opened at the end, so that no test leaves threads behind."""
    gate = threading.Event()
    yield gate
    gate.set()


def counts(observer: RecordingObserver) -> list[int]:
    """Answer the numbers of stuck calls that were reported, in order."""
    return [event.count for event in observer.of(WorkersStuck)]


def alive(pool_name: str) -> int:
    """Answer how many threads the pool has."""
    return sum(thread.name.startswith(f"{pool_name}-") for thread in threading.enumerate())


async def abandon(pool: DaemonThreadPool, call: Callable[[], object], observer: RecordingObserver) -> None:
    """Run a call past its deadline; again, if a busy machine had not even begun with it by then."""
    before = counts(observer)
    while before == counts(observer):
        with pytest.raises(TimeoutError):
            await pool.run(call, deadline_seconds=SHORT_SECONDS)


def test_result_of_a_call_comes_back(observer: RecordingObserver) -> None:
    """The call runs in a daemon thread that is named after the pool, and its result is returned."""
    pool = DaemonThreadPool("result", observer=observer)

    def call() -> tuple[str, bool]:
        return threading.current_thread().name, threading.current_thread().daemon

    assert ("result-1", True) == asyncio.run(pool.run(call, deadline_seconds=LONG_SECONDS))


def test_exception_of_a_call_comes_back(observer: RecordingObserver) -> None:
    """What the call raises is raised to whoever waits."""
    pool = DaemonThreadPool("exception", observer=observer)

    def call() -> NoReturn:
        raise KeyError("from the call")

    with pytest.raises(KeyError, match="from the call"):
        asyncio.run(pool.run(call, deadline_seconds=LONG_SECONDS))


def test_late_call_is_abandoned_and_counted_until_it_returns(
    observer: RecordingObserver, gate: threading.Event
) -> None:
    """At the deadline the caller goes on; the count goes up at once and down when the call comes back."""
    pool = DaemonThreadPool("late", observer=observer)
    asyncio.run(abandon(pool, gate.wait, observer))
    assert [1] == counts(observer)
    gate.set()
    assert eventually(lambda: counts(observer) == [1, 0], what="the late call is counted as returned")


def test_cancelled_caller_leaves_its_running_call_counted(
    observer: RecordingObserver, gate: threading.Event
) -> None:
    """A shutdown cancels the one who waits, not the thread."""
    pool = DaemonThreadPool("cancelled", observer=observer)
    entered = threading.Event()

    def call() -> None:
        entered.set()
        gate.wait()

    async def main() -> None:
        task = asyncio.create_task(pool.run(call, deadline_seconds=LONG_SECONDS))
        await eventually_async(entered.is_set, what="the call runs")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert [1] == counts(observer)


def test_stuck_worker_is_replaced(observer: RecordingObserver, gate: threading.Event) -> None:
    """With its only worker stuck, a pool of one serves the next call, and is one worker again afterwards."""
    pool = DaemonThreadPool("replaced", size=1, observer=observer)

    async def main() -> str:
        await abandon(pool, gate.wait, observer)
        return await pool.run(lambda: "served", deadline_seconds=LONG_SECONDS)

    assert "served" == asyncio.run(main())
    assert 2 == alive("replaced")
    gate.set()
    assert eventually(lambda: alive("replaced") == 1, what="the worker that is one too many is gone")


def test_too_many_stuck_calls_fail_the_next_one_at_once(
    observer: RecordingObserver, gate: threading.Event
) -> None:
    """At the cap nothing more is started until a call comes back, so threads do not grow for ever."""
    pool = DaemonThreadPool("capped", size=1, observer=observer)

    async def fill() -> None:
        while len(counts(observer)) < MOST_STUCK_PER_WORKER:
            await abandon(pool, gate.wait, observer)

    async def refused() -> None:
        with pytest.raises(TimeoutError, match="still hang"):
            await pool.run(lambda: "never", deadline_seconds=LONG_SECONDS)

    asyncio.run(fill())
    asyncio.run(refused())
    gate.set()
    eventually(lambda: counts(observer)[-1] == 0, what="all calls came back")
    assert "served" == asyncio.run(pool.run(lambda: "served", deadline_seconds=LONG_SECONDS))


def test_deadline_counts_the_time_in_the_queue(observer: RecordingObserver, gate: threading.Event) -> None:
    """A call that was still waiting for a worker at its deadline never runs and is not counted as stuck."""
    pool = DaemonThreadPool("queued", size=1, observer=observer)
    ran = threading.Event()

    entered = threading.Event()

    def call() -> None:
        entered.set()
        gate.wait()

    async def main() -> None:
        first = asyncio.create_task(pool.run(call, deadline_seconds=LONG_SECONDS))
        await eventually_async(entered.is_set, what="the first call runs")
        with pytest.raises(TimeoutError):
            await pool.run(ran.set, deadline_seconds=SHORT_SECONDS)
        gate.set()
        await first
        await pool.run(lambda: None, deadline_seconds=LONG_SECONDS)

    asyncio.run(main())
    assert (False, []) == (ran.is_set(), counts(observer))


def test_no_more_than_size_calls_run_at_once(observer: RecordingObserver, gate: threading.Event) -> None:
    """Sixteen calls share two threads."""
    pool = DaemonThreadPool("bounded", size=2, observer=observer)
    threads: set[str] = set()

    async def main() -> None:
        calls = (
            pool.run(lambda: threads.add(threading.current_thread().name), deadline_seconds=LONG_SECONDS)
            for _ in range(16)
        )
        await asyncio.gather(*calls)

    asyncio.run(main())
    assert {"bounded-1", "bounded-2"} >= threads


def test_idle_threads_end(observer: RecordingObserver) -> None:
    """And others take their place when there is work again, many times over."""
    pool = DaemonThreadPool("idle", idle_seconds=0.001, observer=observer)
    for number in range(200):
        assert number == asyncio.run(pool.run(lambda: number, deadline_seconds=LONG_SECONDS))  # noqa: B023 - at once
    assert eventually(lambda: alive("idle") == 0, what="all ended")
    assert "served" == asyncio.run(pool.run(lambda: "served", deadline_seconds=LONG_SECONDS))


def test_closed_pool_refuses_calls_and_ends_its_threads(observer: RecordingObserver) -> None:
    """After close there are no idle workers and no new calls; closing again is fine."""
    pool = DaemonThreadPool("closed", observer=observer)
    asyncio.run(pool.run(lambda: None, deadline_seconds=LONG_SECONDS))
    pool.close()
    pool.close()
    with pytest.raises(TimeoutError, match="closed"):
        asyncio.run(pool.run(lambda: None, deadline_seconds=LONG_SECONDS))
    assert eventually(lambda: alive("closed") == 0, what="idle workers ended")


def test_pool_closes_with_calls_in_its_queue(observer: RecordingObserver, gate: threading.Event) -> None:
    """R-061: one whose caller was cancelled, as a stop cancels renewals, and one whose caller still waits."""
    pool = DaemonThreadPool("closing", size=1, observer=observer)

    async def main() -> list[object]:
        calls = [
            asyncio.create_task(pool.run(lambda: gate.wait(LONG_SECONDS), deadline_seconds=LONG_SECONDS))
            for _ in range(3)
        ]
        await asyncio.sleep(0)
        calls[1].cancel()
        await asyncio.wait({calls[1]})
        pool.close()
        gate.set()
        return [type(outcome) for outcome in await asyncio.gather(*calls, return_exceptions=True)]

    assert [bool, asyncio.CancelledError, TimeoutError] == asyncio.run(main())


def test_virtual_time_does_not_jump_over_a_running_call(
    observer: RecordingObserver, gate: threading.Event
) -> None:
    """An hour's deadline does not fire while the call really runs, though virtual hours pass in no time."""
    pool = DaemonThreadPool("virtual", observer=observer)

    def call() -> str:
        gate.wait(0.2)
        return "served"

    async def main() -> tuple[str, bool]:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(3600)
        before = loop.time()
        answer = await pool.run(call, deadline_seconds=3600)
        return answer, loop.time() - before < 3600

    started = time.monotonic()
    assert ("served", True) == run_virtually(main)
    assert time.monotonic() - started < LONG_SECONDS


HUNG_CALL_AT_EXIT = """
import asyncio, threading
from broker.infra.threads import DaemonThreadPool

async def main():
    pool = DaemonThreadPool("exit", observer=lambda event: None)
    try:
        await pool.run(threading.Event().wait, deadline_seconds=0.05)
    except TimeoutError:
        pool.close()
        print("abandoned", flush=True)

asyncio.run(main())
"""


def test_interpreter_exits_at_once_with_a_hung_call() -> None:
    """A call that never returns does not hold the process: exit waits for no worker."""
    finished = subprocess.run(
        [sys.executable, "-c", HUNG_CALL_AT_EXIT], capture_output=True, text=True, timeout=60, check=False
    )
    assert (0, "abandoned\n", "") == (finished.returncode, finished.stdout, finished.stderr)


@pytest.mark.parametrize(
    "kind", [SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError, StopIteration]
)
def test_call_that_raises_what_is_not_for_calls_is_an_ordinary_failure(kind: type[BaseException]) -> None:
    """R-063: a plug-in that calls sys.exit() ends its own call, and not the daemon."""

    def call() -> None:
        raise kind

    async def main() -> None:
        pool = DaemonThreadPool("plug-in", observer=RecordingObserver())
        with pytest.raises(RuntimeError, match=kind.__name__):
            await pool.run(call, deadline_seconds=5)

    asyncio.run(main())
