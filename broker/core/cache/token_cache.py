"""The cache of all managed tokens: sealed entries in files, opened and made with one key.

Owns: that seal and file calls happen away from the event loop under a deadline, and that every failure is a value with
the file's name. Refuses to know: when entries are looked at or written (`keeper`), file systems (`CacheStorage`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Final, TypeVar

from broker.core.cache import entry, sealed
from broker.core.cache.key import CacheKey
from broker.core.cache.refusals import CallFailed, EntryRefused
from broker.core.cache.storage import CacheStorage
from broker.errors import BrokerError
from broker.events import LifeCycle
from broker.model import Revision
from broker.ports import BlockingRunner, Clock, Observer

T = TypeVar("T")

CALL_SECONDS: Final = 10.0


class TokenCache:
    """Loads, keeps and drops entries by the managed token's name."""

    def __init__(
        self,
        *,
        key: CacheKey,
        storage: CacheStorage,
        runner: BlockingRunner,
        clock: Clock,
        observer: Observer,
        boot_id: str | None,
    ) -> None:
        self._key = key
        self._storage = storage
        self._runner = runner
        self._clock = clock
        self._observer = observer
        self._boot_id = boot_id

    async def load(self, name: str, *, identity: str) -> entry.Adoption | None:
        """What may be adopted, None if there is nothing or it has expired.

        Raises KeyUnavailable while there is an entry but no key, EntryRefused or another BrokerError with the file's
        name for an entry that is not to be trusted.
        """
        content = await self._call(name, lambda: self._storage.read(name))
        if content is None:
            return None
        key = await self._key.get()

        def opened() -> entry.Entry:
            return entry.decode(sealed.unseal(content, key=key, identity=identity))

        try:
            found = await self._call(name, opened)
        except EntryRefused as refusal:
            raise EntryRefused(f"{self._storage.place(name)} {refusal.message}") from None
        return entry.adoption(found, now=self._clock.now(), boot_id=self._boot_id)

    async def prepare(self) -> None:
        """Have everything at hand that the first `save` needs, as well as that works."""
        try:
            await self._key.get()
            await self._call("*", sealed.prepare)
        except BrokerError:
            return  # whoever saves is told

    async def save(self, name: str, revision: Revision, *, identity: str) -> None:
        """Keep a revision. Raises KeyUnavailable, or another BrokerError with the file's name."""
        key = await self._key.get()
        kept = entry.Entry(revision=revision, boot_id=self._boot_id)
        await self._call(
            name,
            lambda: self._storage.write(name, sealed.seal(entry.encode(kept), key=key, identity=identity)),
        )

    async def remove(self, name: str) -> None:
        """Drop an entry, as well as that works."""
        await self._told(self._call(name, lambda: self._storage.remove(name)))

    async def remove_all_but(self, names: Collection[str]) -> None:
        """Drop the entries of names that are no longer configured, as well as that works."""
        kept = frozenset(names)
        await self._told(self._call("*", lambda: self._storage.remove_all_but(kept)))

    def warn(self, message: str) -> None:
        """Tell the operator; nothing about the cache is worse than a warning."""
        self._observer(LifeCycle(phase="warning", message=message))

    def close(self) -> None:
        """Accept no more calls."""
        self._runner.close()

    async def _call(self, name: str, call: Callable[[], T]) -> T:
        """BrokerError only, whatever the storage or a library does."""
        try:
            return await self._runner.run(call, deadline_seconds=CALL_SECONDS)
        except BrokerError:
            raise
        except TimeoutError:
            problem = f"no answer within {CALL_SECONDS:.0f} s: check the file system"
        except Exception as error:  # noqa: BLE001 - its words may quote a file; what it was is enough to report
            problem = f"unexpected {type(error).__name__}: a bug, please report it"
        raise CallFailed(f"{self._storage.place(name)}: {problem}")

    async def _told(self, work: Awaitable[None]) -> None:
        try:
            await work
        except BrokerError as error:
            self.warn(f"token cache: {error.message}")
