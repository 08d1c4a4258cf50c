"""The token cache that the configuration in force asks for, if it does.

Owns: what it is built from, when it is replaced, and the one sweep after that. Refuses to know: when tokens are kept
(`core.cache.keeper`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from broker.app.outside import Outside
from broker.config.schema import Config
from broker.core.backend_client import BackendClient
from broker.core.cache import key_sources
from broker.core.cache.keeper import Keeper
from broker.core.cache.key import CacheKey
from broker.core.cache.token_cache import TokenCache
from broker.core.managed_token import ManagedToken


class CachePlace:
    """Builds the cache and its keepers; without `[cache]` there are none."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._state_dir: str | None = None
        self._cache: TokenCache | None = None
        self._sweep: asyncio.Task[None] | None = None
        self.built_from: object = None
        """What the cache was built from; equal means unchanged."""

    def apply(self, config: Config, backends: Mapping[str, BackendClient], group: asyncio.TaskGroup) -> None:
        """Build the cache if it is new or differs; entries of names that are gone are removed then."""
        self._state_dir = self._state_dir or config.broker.state_dir  # a reload does not move it
        table = config.cache
        backend = config.secret_backends.get(table.key.backend) if table and table.key else None
        if (table, backend) == self.built_from:
            return
        self.stop()
        self.built_from = (table, backend)
        self._cache = self._build(config, self._state_dir, backends)
        if self._cache is not None:
            self._sweep = group.create_task(self._cache.remove_all_but(config.tokens), name="cache sweep")

    def keeper(self, token: ManagedToken, *, identity: str, renew: Callable[[], object]) -> Keeper | None:
        """What keeps this token; None without a cache."""
        if self._cache is None:
            return None
        return Keeper(
            token=token,
            identity=identity,
            cache=self._cache,
            renew=renew,
            clock=self._outside.clock,
        )

    async def remove(self, name: str) -> None:
        """Drop what is kept of a token that left the configuration."""
        if self._cache is not None:
            await self._cache.remove(name)

    def stop(self) -> None:
        """Accept no more calls; nothing waits for running ones."""
        if self._sweep is not None:
            self._sweep.cancel()
        if self._cache is not None:
            self._cache.close()
        self._cache = self._sweep = None

    def _build(
        self, config: Config, state_dir: str, backends: Mapping[str, BackendClient]
    ) -> TokenCache | None:
        table, outside = config.cache, self._outside
        if table is None:
            return None
        storage, runner = outside.state_files(state_dir), outside.threads("cache")
        if table.key is not None:
            where = f"{table.key.backend}:{table.key.path}"
            read = key_sources.from_backend(table.key, backends[table.key.backend])
        elif table.key_file is not None:
            where = table.key_file
            read = key_sources.from_file(
                table.key_file, storage=storage, runner=runner, observer=outside.observer
            )
        else:
            return None
        return TokenCache(
            key=CacheKey(where=where, read=read, clock=outside.clock, observer=outside.observer),
            storage=storage,
            runner=runner,
            clock=outside.clock,
            observer=outside.observer,
            boot_id=outside.boot_id,
        )
