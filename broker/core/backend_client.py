"""One configured secret backend, seen from the event loop.

Owns: its life (built at first use, built anew after an abandoned call or a bug), the deadline of its calls, which of
them a plug-in declares to answer. Refuses to know: hvac, boto3, files; how threads are abandoned (`BlockingRunner`);
what a plug-in may return and raise (`plugin_calls`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TypeVar, cast

from broker.api import Capability
from broker.core.batched_reads import BatchedReads, Outcome
from broker.core.plugin_calls import PluginCalls
from broker.errors import SecretBackendError, SecretBackendUnavailable
from broker.events import SecretFetched
from broker.model import SecretDocument
from broker.policy import rotation
from broker.ports import BatchSecretBackend, BlockingRunner, Clock, Observer, SecretBackend

T = TypeVar("T")

CALL_SECONDS = 10.0
ABANDON_AFTER_SECONDS = 12.0


class BackendClient:
    """One configured secret backend, built in its own threads at first use.

    It is built anew after an abandoned call: a session that somebody is still using must not be shared.
    """

    def __init__(
        self,
        *,
        name: str,
        plugin: str,
        capabilities: frozenset[Capability],
        create: Callable[[], SecretBackend],
        runner: BlockingRunner,
        observer: Observer,
        clock: Clock,
    ) -> None:
        self.name = name
        self._capabilities = capabilities
        self._create = create
        self._calls = PluginCalls(backend=name, plugin=plugin)
        self._runner = runner
        self._observer = observer
        self._clock = clock
        self._backend: SecretBackend | None = None
        self._building = asyncio.Lock()
        self._build_failure: Exception | None = None
        """Of the last build, if it failed."""
        self._lagged_at = float("-inf")
        self._batches = BatchedReads(one=self._read_one, many=self._read_many)

    async def read(self, path: str) -> SecretDocument:
        """Everything at `path`. Raises SecretBackendError only."""
        read = self._batches.read if "batch" in self._capabilities else self._read_one
        return _known(await read(path))

    async def version(self, path: str) -> str | None:
        """The current version at `path`, None where only a read would tell. Raises SecretBackendError only."""
        if "cheap_version_check" not in self._capabilities:
            return None
        return _known(
            await self._timed(
                lambda backend: self._calls.version(
                    lambda: backend.version(path, timeout_seconds=CALL_SECONDS)
                )
            )
        )

    def answered_with_the_past(self) -> None:
        """One of its answers was older than one before."""
        self._lagged_at = self._clock.now().boot

    @property
    def lags(self) -> bool:
        """Whether a single answer of it settles nothing."""
        return self._clock.now().boot - self._lagged_at < rotation.LAG_REMEMBERED_SECONDS

    async def close(self) -> None:
        """Close the backend, waiting two seconds at most."""
        backend, self._backend = self._backend, None
        if backend is not None:
            with suppress(Exception):  # nothing that closing says may delay the exit
                await self._runner.run(backend.close, deadline_seconds=2.0)
        self._runner.close()

    async def _read_one(self, path: str) -> Outcome:
        return await self._timed(
            lambda backend: self._calls.document(lambda: backend.read(path, timeout_seconds=CALL_SECONDS))
        )

    async def _read_many(self, paths: tuple[str, ...]) -> Mapping[str, Outcome]:
        """A fetch of its own for each path, whose outcomes may differ."""
        started = self._clock.now().boot
        found = await self._call(
            lambda backend: self._calls.documents(
                lambda: cast("BatchSecretBackend", backend).read_many(paths, timeout_seconds=CALL_SECONDS),
                paths,
            )
        )
        outcomes = dict.fromkeys(paths, found) if isinstance(found, SecretBackendError) else found
        for outcome in outcomes.values():
            self._tell(started, outcome)
        return outcomes

    async def _timed(self, operation: Callable[[SecretBackend], T]) -> T | SecretBackendError:
        started = self._clock.now().boot
        outcome = await self._call(operation)
        self._tell(started, outcome)
        return outcome

    async def _call(self, operation: Callable[[SecretBackend], T]) -> T | SecretBackendError:
        backend = self._backend
        try:
            if backend is None:
                backend = await self._built()
            return await self._runner.run(partial(operation, backend), deadline_seconds=ABANDON_AFTER_SECONDS)
        except SecretBackendError as error:
            if error.code == "plugin_bug":
                self._spoiled(backend)
            return error
        except TimeoutError:
            self._spoiled(backend)
            return SecretBackendUnavailable(
                f"secret backend {self.name}: no answer within {ABANDON_AFTER_SECONDS:.0f} s; the call was abandoned",
                code="timeout",
            )

    def _spoiled(self, backend: SecretBackend | None) -> None:
        """The next call builds another; unless that has happened already."""
        if self._backend is backend:
            self._backend = None

    async def _built(self) -> SecretBackend:
        """Who waits for a build shares its failure: one that hangs must not hang for each of them in turn."""
        known = self._build_failure
        async with self._building:
            if self._backend is None:
                if self._build_failure is not None and self._build_failure is not known:
                    raise self._build_failure.with_traceback(None)
                try:
                    self._backend = await self._runner.run(
                        self._build, deadline_seconds=ABANDON_AFTER_SECONDS
                    )
                except (SecretBackendError, TimeoutError) as error:
                    self._build_failure = error
                    raise
                self._build_failure = None
            return self._backend

    def _tell(self, started: float, outcome: object) -> None:
        failure = outcome if isinstance(outcome, SecretBackendError) else None
        self._observer(
            SecretFetched(
                backend=self.name,
                outcome="failure" if failure else "success",
                duration_seconds=self._clock.now().boot - started,
                message=failure.message if failure else None,
            )
        )

    def _build(self) -> SecretBackend:
        return self._calls.build(self._create, self._capabilities)


def _known(outcome: T | SecretBackendError) -> T:
    if isinstance(outcome, SecretBackendError):
        raise outcome.with_traceback(None)  # it may be raised for several tokens
    return outcome
