"""Keeps one managed token in the cache: adopts what an earlier process kept, then keeps each new revision.

Owns: when the cache is looked into and written to, how long a first mint waits for it, and that trouble with it is told
once and stops nothing. Refuses to know: files, keys, encryption (`TokenCache`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from broker.core.cache.entry import Adoption
from broker.core.cache.key import RETRY_SECONDS
from broker.core.cache.refusals import KeyUnavailable
from broker.core.cache.token_cache import TokenCache
from broker.core.managed_token import ManagedToken
from broker.core.rounds import NOW, WOKEN, Work
from broker.errors import BrokerError
from broker.model import Revision
from broker.policy import life as lives
from broker.ports import Clock

FIRST_LOOK_SECONDS: Final = 2.0
"""No mint is held up for longer: a key in a backend that hangs must not cost a token."""

GLANCES: Final = 8
"""The wait in parts: a process that stood still for all of it has waited for one, and sees what came meanwhile."""

FLUSH_SECONDS: Final = 1.0


class Keeper:
    """The cache of one managed token."""

    __slots__ = (
        "_cache",
        "_clock",
        "_identity",
        "_kept",
        "_looked",
        "_prepared",
        "_renew",
        "_retry_at",
        "_token",
        "_told",
    )

    def __init__(
        self,
        *,
        token: ManagedToken,
        identity: str,
        cache: TokenCache,
        renew: Callable[[], object],
        clock: Clock,
    ) -> None:
        self._token = token
        self._identity = identity
        self._cache = cache
        self._renew = renew
        self._clock = clock
        self._kept: Revision | None = None
        self._looked: asyncio.Event | None = asyncio.Event()
        """Until the first look is over."""
        self._prepared = False
        self._retry_at = 0.0
        self._told: str | None = None

    async def first_look(self) -> None:
        """Until it is known what the cache holds, or for two seconds."""
        for _ in range(GLANCES):
            if self._looked is None:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(FIRST_LOOK_SECONDS / GLANCES):
                    await self._looked.wait()

    async def turn(self) -> float:
        """Adopt or keep what there is to; when to look again (`broker.core.rounds`)."""
        if self._clock.now().boot < self._retry_at:
            return self._retry_at  # woken by what does not bring the key
        if not self._prepared:
            try:
                known = await self._look()
            finally:
                self._first_look_is_over()
            if not known:
                return self._later()
            await self._cache.prepare()
            self._prepared = True
        revision = self._unkept()
        if revision is None:
            return WOKEN
        return NOW if await self._save(revision) else self._later()

    async def flush(self) -> None:
        """After the last turn: keep what was minted last, if that takes a second at most."""
        revision = self._unkept()
        if revision is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_SECONDS):
                    await self._save(revision)

    def _unkept(self) -> Revision | None:
        """What is to be kept; never a revision that was minted for another identity."""
        life = self._token.life
        return None if life.revision is self._kept or life.outdated else life.revision

    async def _look(self) -> bool:
        """Whether there is no need to look again; with nothing but the key missing there is."""
        if self._is_usable():
            return True
        try:
            found = await self._cache.load(self._token.name, identity=self._identity)
        except KeyUnavailable:
            return False
        except BrokerError as error:
            self._tell(f"not taken from the token cache: {error.message}")
            return True
        if found is not None and not self._is_usable():
            self._adopt(found)
        return True

    def _adopt(self, found: Adoption) -> None:
        self._kept = found.revision
        self._token.apply(lives.Adopted(found.revision, "taken from the token cache"))
        if found.renew_now:
            self._tell("the cached token was minted in the future of this clock: it is kept and renewed now")
            self._renew()

    def _is_usable(self) -> bool:
        return self._token.remaining_seconds(self._clock.now()) > 0

    async def _save(self, revision: Revision) -> bool:
        """Whether there is no need to try again."""
        try:
            await self._cache.save(self._token.name, revision, identity=self._identity)
        except KeyUnavailable:
            return False
        except BrokerError as error:
            self._tell(f"not kept in the token cache: {error.message}")
            return False
        self._kept = revision
        self._told = None
        return True

    def _tell(self, message: str) -> None:
        """A trouble that lasts is told once."""
        if message != self._told:
            self._told = message
            self._cache.warn(f"{self._token.name}: {message}")

    def _first_look_is_over(self) -> None:
        if self._looked is not None:
            self._looked.set()
            self._looked = None

    def _later(self) -> float:
        self._retry_at = self._clock.now().boot + RETRY_SECONDS
        return self._retry_at


class AfterFirstLook:
    """Work that begins when it is known what the cache holds.

    No mint before it is known that there is no token; no look at a secret before it is known which one bought it.
    """

    __slots__ = ("_keeper", "_work")

    def __init__(self, keeper: Keeper, work: Work) -> None:
        self._keeper = keeper
        self._work = work

    async def turn(self) -> float:
        """That of the work."""
        await self._keeper.first_look()
        return await self._work.turn()
