"""Secrets that several tokens want at the same moment are read together, each with an outcome of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from broker.api import Capability, SecretBackendUnavailable, SecretDocument
from broker.core.backend_client import BackendClient
from broker.errors import SecretBackendError
from broker.events import SecretFetched
from broker.ports import MOST_BATCHED
from broker.testing.clock import LoopClock
from broker.testing.memory_backend import MemorySecretBackend
from broker.testing.observer import RecordingObserver
from tests.core.world import InlineRunner
from tests.virtual_time import run_virtually


class BatchingBackend(MemorySecretBackend):
    """Reads several paths in one call, but for those that `left_out` names."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[tuple[str, ...]] = []
        self.left_out: frozenset[str] = frozenset()
        self.many_fails: SecretBackendError | None = None

    def read_many(
        self, paths: Sequence[str], *, timeout_seconds: float
    ) -> Mapping[str, SecretDocument | SecretBackendError]:
        self.batches.append(tuple(paths))
        if self.many_fails is not None:
            raise self.many_fails
        found: dict[str, SecretDocument | SecretBackendError] = {}
        for path in paths:
            if path not in self.left_out:
                try:
                    found[path] = self._current(path)
                except SecretBackendError as error:
                    found[path] = error
        return found


class Place:
    """A backend that batches, and its client."""

    def __init__(self, *, capabilities: frozenset[Capability] = frozenset({"batch"})) -> None:
        self.backend = BatchingBackend()
        self.observer = RecordingObserver()
        self.client = BackendClient(
            name="corp",
            plugin="memory",
            capabilities=capabilities,
            create=lambda: self.backend,
            runner=InlineRunner(),
            observer=self.observer,
            clock=LoopClock(asyncio.get_running_loop().time),
        )

    async def outcomes(self, *paths: str) -> list[str | None]:
        """Versions, or the codes of errors, of paths that are read at the same moment."""
        found = await asyncio.gather(*(self.client.read(path) for path in paths), return_exceptions=True)
        return [each.code if isinstance(each, SecretBackendError) else _version(each) for each in found]


def _version(document: SecretDocument | BaseException) -> str | None:
    assert isinstance(document, SecretDocument)
    return document.version


def test_reads_of_one_moment_are_few_calls() -> None:
    """R-107: at most twenty paths a call, each path once however many want it."""

    async def scenario() -> None:
        place = Place()
        paths = [f"p{number}" for number in range(2 * MOST_BATCHED + 1)]
        versions = [place.backend.put(path, {}) for path in paths]
        assert [*versions, versions[0]] == await place.outcomes(*paths, paths[0])
        assert [tuple(paths[:MOST_BATCHED]), tuple(paths[MOST_BATCHED:-1])] == place.backend.batches
        assert [paths[-1]] == place.backend.reads

    run_virtually(scenario)


def test_read_that_is_alone_is_no_batch() -> None:
    """Nor are two that follow each other: the second is as fresh as it was asked for."""

    async def scenario() -> None:
        place = Place()
        first = place.backend.put("p", {})
        assert [first] == await place.outcomes("p")
        second = place.backend.put("p", {})
        assert [second] == await place.outcomes("p")
        assert ([], ["p", "p"]) == (place.backend.batches, place.backend.reads)

    run_virtually(scenario)


def test_each_path_has_its_own_outcome() -> None:
    """R-107: one that is missing fails alone, and each counts as a fetch."""

    async def scenario() -> None:
        place = Place()
        good = place.backend.put("good", {})
        assert [good, "not_found"] == await place.outcomes("good", "missing")
        assert ["success", "failure"] == [
            event.outcome for event in place.observer.events if isinstance(event, SecretFetched)
        ]

    run_virtually(scenario)


def test_path_that_a_batch_leaves_out_is_read_by_itself() -> None:
    """A store may be able to batch some only."""

    async def scenario() -> None:
        place = Place()
        place.backend.left_out = frozenset({"a", "c"})
        versions = [place.backend.put(path, {}) for path in ("a", "b", "c")]
        assert versions == await place.outcomes("a", "b", "c")
        assert ([("a", "b", "c")], ["a", "c"]) == (place.backend.batches, place.backend.reads)

    run_virtually(scenario)


def test_batch_that_fails_fails_for_all_and_only_for_them() -> None:
    """The next moment's reads are asked again."""

    async def scenario() -> None:
        place = Place()
        place.backend.put("a", {})
        place.backend.many_fails = SecretBackendUnavailable("sealed")
        assert ["unavailable", "unavailable"] == await place.outcomes("a", "b")
        place.backend.many_fails = None
        assert ["1", "not_found"] == await place.outcomes("a", "b")

    run_virtually(scenario)


def test_reader_that_gives_up_takes_nothing_from_the_others() -> None:
    """A token may be removed while its secret is on the way."""

    async def scenario() -> None:
        place = Place()
        version = place.backend.put("shared", {})
        place.backend.put("other", {})
        readers = [asyncio.create_task(place.client.read(path)) for path in ("shared", "shared", "other")]
        await asyncio.sleep(0)
        readers[0].cancel()
        assert version == (await readers[1]).version
        assert [True, False, False] == [reader.cancelled() for reader in readers]

    run_virtually(scenario)


def test_backend_that_declares_no_batch_is_asked_for_each() -> None:
    """Capabilities are declared, never tried."""

    async def scenario() -> None:
        place = Place(capabilities=frozenset())
        place.backend.put("a", {})
        assert ["1", "not_found"] == await place.outcomes("a", "b")
        assert ([], ["a", "b"]) == (place.backend.batches, place.backend.reads)

    run_virtually(scenario)
