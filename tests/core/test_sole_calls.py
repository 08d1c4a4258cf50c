"""Calls into a plug-in's object: never two at once, and none that hangs is forgotten or remembered for ever."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from broker.core.sole_calls import SoleCalls
from broker.errors import SinkError
from broker.infra.threads import DaemonThreadPool
from broker.testing.observer import RecordingObserver
from tests.waiting import eventually_async


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What hung calls wait for; opened at the end, so that no test leaves threads behind."""
    gate = threading.Event()
    yield gate
    gate.set()


def calls(*, size: int = 4, deadline_seconds: float = 0.1) -> SoleCalls:
    """Calls that are given up on at once, or later."""
    pool = DaemonThreadPool("sole", size=size, observer=RecordingObserver())
    return SoleCalls(pool, name="/run/t", error=SinkError, advice="look", deadline_seconds=deadline_seconds)


def test_no_call_begins_while_an_abandoned_one_runs(gate: threading.Event) -> None:
    """An object is told so, and called again once the earlier call has come back."""

    async def scenario() -> None:
        sole = calls()
        begun = threading.Event()

        def hang() -> None:
            begun.set()
            gate.wait()

        while not begun.is_set():  # a busy machine may not come to it in so short a time
            with pytest.raises(SinkError, match="/run/t: no answer within 0 s: look"):
                await sole.call(hang)
        with pytest.raises(SinkError, match="/run/t: an earlier call still hangs: look"):
            await sole.call(lambda: 1)
        gate.set()

        async def answered() -> bool:
            return await sole.call(lambda: 1) == 1

        assert await eventually_async(answered, what="the next call", retry_on=(SinkError,))

    asyncio.run(scenario())


def test_a_call_that_never_began_hangs_nothing(gate: threading.Event) -> None:
    """Given up on while it waited for a thread: the next one is an ordinary one."""

    async def scenario() -> None:
        sole = calls(size=1)
        blocking = asyncio.ensure_future(sole._runner.run(gate.wait, deadline_seconds=60))
        await asyncio.sleep(0)  # it comes first
        with pytest.raises(SinkError, match="no answer"):
            await sole.call(lambda: 1)
        gate.set()
        await blocking

        async def answered() -> bool:
            return await sole.call(lambda: 2) == 2

        assert await eventually_async(answered, what="the next call", retry_on=(SinkError,))

    asyncio.run(scenario())


def test_a_bug_is_told_by_its_type_alone() -> None:
    """R-063: an exception of a plug-in may quote anything."""

    def explode() -> None:
        raise KeyError("S3CR3T-in-a-key")

    async def scenario() -> SinkError:
        with pytest.raises(SinkError) as failure:
            await calls(deadline_seconds=60).call(explode)
        return failure.value

    error = asyncio.run(scenario())
    assert ("/run/t: unexpected KeyError in the plug-in", "plugin_bug") == (error.message, error.code)
    assert error.__cause__ is None
