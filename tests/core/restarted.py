"""A process that starts in a world where an earlier one kept a token, with the cache in memory."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import NoReturn

from broker.core.cache import entry, sealed
from broker.core.cache.keeper import AfterFirstLook, Keeper
from broker.core.cache.key import CacheKey
from broker.core.cache.token_cache import TokenCache
from broker.events import LifeCycle
from broker.model import AccessToken, Moment, Revision, Secret
from tests.core.world import LIFETIME_SECONDS, InlineRunner, Place, World

KEY = Secret(b"S3CR3T-".ljust(32, b"k"))
KEY_TEXT = Secret(base64.b64encode(KEY.reveal_bytes()))
ID = "0f" * 32
BOOT = "this boot"
PLACE = "/state/cache/deploy.jwe"


@dataclass
class MemoryFiles:
    """Implements CacheStorage; `broken` is raised by writes."""

    entries: dict[str, bytes] = field(default_factory=dict)
    broken: Exception | None = None

    def read(self, name: str) -> bytes | None:
        return self.entries.get(name)

    def write(self, name: str, content: bytes) -> None:
        if self.broken is not None:
            raise self.broken
        self.entries[name] = content

    def remove(self, name: str) -> None:
        self.entries.pop(name, None)

    def remove_all_but(self, names: Collection[str]) -> None:
        self.entries = {name: kept for name, kept in self.entries.items() if name in names}

    def place(self, name: str) -> str:
        return f"/state/cache/{name}.jwe"

    def read_key(self, path: str, *, warn: Callable[[str], None]) -> NoReturn:
        raise AssertionError("these tests bring the key themselves")


class Restarted:
    """A new process in a world where an earlier one may have kept something."""

    def __init__(self, *, read_key: Callable[[], Awaitable[Secret]] | None = None) -> None:
        self.world = World()
        self.files = MemoryFiles()
        self.read_key = read_key or self.key_at_hand

    async def _key(self) -> Secret:
        return await self.read_key()

    async def key_at_hand(self) -> Secret:
        return KEY_TEXT

    def keep(
        self, *, age: float = 600.0, jitter: float = 0.0, expires_in: int = LIFETIME_SECONDS
    ) -> Revision:
        """What an earlier process left: its fourth revision, minted so many seconds ago."""
        now = self.world.clock.now()
        token = AccessToken(
            value=Secret("cached-S3CR3T"),
            expires_in=expires_in,
            issued=Moment(now.wall - age, now.boot - age),
        )
        revision = Revision(number=4, token=token, jitter=jitter)
        plain = entry.encode(entry.Entry(revision=revision, boot_id=BOOT))
        self.files.entries["deploy"] = sealed.seal(plain, key=KEY, identity=ID)
        return revision

    def start(self, *, poll_seconds: float = 60.0) -> Place:
        """As `app.unit` does it: renewer and secret watch begin after the first look."""
        place = self.world.start(poll_seconds=poll_seconds)
        for begun in place.rounds:
            begun.stop()
        cache = TokenCache(
            key=CacheKey(
                where="the key",
                read=self._key,
                clock=self.world.clock,
                observer=self.world.observer,
            ),
            storage=self.files,
            runner=InlineRunner(),
            clock=self.world.clock,
            observer=self.world.observer,
            boot_id=BOOT,
        )
        self.keeper = keeper = Keeper(
            token=place.token,
            identity=ID,
            cache=cache,
            renew=place.renewer.request,
            clock=self.world.clock,
        )

        renewing = AfterFirstLook(keeper, place.renewer)
        place.rounds[0] = place.renewer.round = self.world.rounds.start("renewer", "deploy", renewing)
        watching = AfterFirstLook(keeper, place.watch)
        place.rounds[1] = self.world.rounds.start("secret watch", "deploy", watching, at=place.watch.due())
        keeping = self.world.rounds.start("cache", "deploy", keeper)
        place.token.wakes(place.rounds[1], keeping)
        place.rounds.append(keeping)
        return place

    @property
    def warnings(self) -> list[str]:
        """What was told the operator."""
        return [event.message for event in self.world.observer.of(LifeCycle) if event.phase == "warning"]

    @property
    def kept(self) -> entry.Entry:
        """What the cache holds now."""
        return entry.decode(sealed.unseal(self.files.entries["deploy"], key=KEY, identity=ID))
