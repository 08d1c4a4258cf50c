"""One backend under many tokens: built once, and given up on once for all who wait."""

from __future__ import annotations

import asyncio

from broker.core.backend_client import ABANDON_AFTER_SECONDS, BackendClient
from broker.errors import SecretBackendError
from broker.testing.clock import LoopClock
from broker.testing.memory_backend import MemorySecretBackend
from broker.testing.observer import RecordingObserver
from tests.core.world import SlowRunner
from tests.virtual_time import run_virtually

ANSWER_SECONDS = 0.5
HANGS_SECONDS = 3600.0


class Place:
    """A client, what it built, and the clock."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.built: list[MemorySecretBackend] = []
        self.runner = SlowRunner(ANSWER_SECONDS)
        self.client = BackendClient(
            name="corp",
            plugin="memory",
            capabilities=frozenset(),
            create=self.create,
            runner=self.runner,
            observer=RecordingObserver(),
            clock=LoopClock(self.loop.time),
        )

    def create(self) -> MemorySecretBackend:
        backend = MemorySecretBackend()
        backend.put("p", {})
        self.built.append(backend)
        return backend

    async def outcome(self, *, after: float = 0.0) -> str:
        """Of a read that begins `after` so many seconds: ok, or the code of its error."""
        await asyncio.sleep(after)
        try:
            await self.client.read("p")
        except SecretBackendError as error:
            return error.code
        return "ok"


def test_build_that_hangs_is_waited_for_once() -> None:
    """F-49, R-062: all who waited hear of it at the same moment; who comes later has a build of its own."""

    async def scenario() -> None:
        place = Place()
        place.runner.seconds = HANGS_SECONDS
        began = place.loop.time()
        outcomes = await asyncio.gather(*(place.outcome(after=number) for number in range(10)))
        assert ["timeout"] * 10 == outcomes
        assert ABANDON_AFTER_SECONDS == place.loop.time() - began
        place.runner.seconds = ANSWER_SECONDS
        assert "ok" == await place.outcome()

    run_virtually(scenario)


def test_those_who_come_together_share_one_build() -> None:
    """Each of them then makes its own call."""

    async def scenario() -> None:
        place = Place()
        assert ["ok"] * 10 == await asyncio.gather(*(place.outcome() for _ in range(10)))
        assert [10] == [len(backend.reads) for backend in place.built]

    run_virtually(scenario)


def test_abandoned_call_spoils_only_the_backend_that_it_was_made_on() -> None:
    """A session that somebody may still be using is not shared; one that was built since stays."""

    async def scenario() -> None:
        place = Place()
        assert "ok" == await place.outcome()
        place.runner.seconds = HANGS_SECONDS
        place.loop.call_later(ABANDON_AFTER_SECONDS, setattr, place.runner, "seconds", ANSWER_SECONDS)
        outcomes = await asyncio.gather(
            place.outcome(), place.outcome(after=6), place.outcome(after=ABANDON_AFTER_SECONDS + 1)
        )
        assert ["timeout", "timeout", "ok"] == list(outcomes)
        assert "ok" == await place.outcome()
        assert 2 == len(place.built)

    run_virtually(scenario)
