"""Threads that many parties share, and a system that has none left."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from broker.infra.threads import MOST_STUCK_PER_WORKER, DaemonThreadPool
from broker.testing.observer import RecordingObserver
from tests.infra.test_threads import LONG_SECONDS, SHORT_SECONDS, abandon, alive, counts
from tests.waiting import eventually


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


def test_slow_calls_of_a_crowd_take_nobodys_place(observer: RecordingObserver, gate: threading.Event) -> None:
    """Nine hang in a pool of two: others are served all the same, before any of the nine is given up on."""
    pool = DaemonThreadPool("crowd", size=2, slow_seconds=SHORT_SECONDS, observer=observer)

    async def main() -> None:
        slow = [asyncio.create_task(pool.run(gate.wait, deadline_seconds=LONG_SECONDS)) for _ in range(9)]
        await asyncio.sleep(0)
        assert "served" == await pool.run(lambda: "served", deadline_seconds=LONG_SECONDS)
        gate.set()
        assert [True] * 9 == await asyncio.gather(*slow)
        assert "served" == await pool.run(lambda: "served", deadline_seconds=LONG_SECONDS)

    asyncio.run(main())
    assert [] == counts(observer)
    assert eventually(lambda: alive("crowd") <= 2, what="the workers that are too many are gone")


def test_any_number_of_a_crowd_may_hang(observer: RecordingObserver, gate: threading.Event) -> None:
    """They are counted as long as they hang, and the next one is served."""
    pool = DaemonThreadPool("hanging", size=1, slow_seconds=SHORT_SECONDS / 10, observer=observer)

    async def main() -> None:
        for _ in range(MOST_STUCK_PER_WORKER * 2):
            await abandon(pool, gate.wait, observer)
        assert "served" == await pool.run(lambda: "served", deadline_seconds=LONG_SECONDS)

    asyncio.run(main())
    assert MOST_STUCK_PER_WORKER * 2 == counts(observer)[-1]
    gate.set()
    assert eventually(lambda: counts(observer)[-1] == 0, what="all came back")


def test_a_thread_that_cannot_be_started_costs_one_call() -> None:
    """At the system's limit of tasks a call fails at its deadline; later ones find a thread."""
    program = """
import asyncio, sys, threading
from broker.infra.threads import DaemonThreadPool
start = threading.Thread.start
def refuse(self):
    raise RuntimeError("can't start new thread")
async def main():
    pool = DaemonThreadPool("limit", observer=lambda event: None)
    threading.Thread.start = refuse
    try:
        await pool.run(lambda: "never", deadline_seconds=0.1)
    except TimeoutError:
        threading.Thread.start = start
        print(await pool.run(lambda: "served", deadline_seconds=10))
asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert ("served\n", "") == (done.stdout, done.stderr)
