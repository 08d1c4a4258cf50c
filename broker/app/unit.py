"""One managed token at work: its renewer, secret watch and publishers, started and stopped together."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from broker.app.publisher_place import PublisherPlace
from broker.config.schema import AuthorizationServerTable, PluginTable, TokenTable
from broker.core.cache.keeper import AfterFirstLook, Keeper
from broker.core.managed_token import ManagedToken
from broker.core.renewer import Renewer
from broker.core.rounds import NOW, WOKEN, Round, Rounds, Work
from broker.core.secret_watch import SecretWatch


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What else in the configuration a unit is built from."""

    server: AuthorizationServerTable
    backends: tuple[PluginTable, ...]
    cache: object


class Unit:
    """The running parts of one managed token."""

    __slots__ = (
        "_keeper",
        "_places",
        "_watch",
        "renewer",
        "surroundings",
        "table",
        "token",
    )

    def __init__(
        self,
        *,
        token: ManagedToken,
        table: TokenTable,
        surroundings: Surroundings,
        keeper: Keeper | None,
        renewer: Renewer,
        watch: SecretWatch,
        publishers: Sequence[PublisherPlace],
    ) -> None:
        self.token = token
        self.table = table
        self.surroundings = surroundings
        self._keeper = keeper
        self.renewer = renewer
        self._watch = watch
        self._places = tuple(publishers)

    def start(self, rounds: Rounds, *, upstreams: str) -> None:
        """Have all parts do their rounds; `upstreams` names what mints and looks at secrets may hang at."""
        name, token = self.token.name, self.token
        first = WOKEN if token.revision is None else NOW
        renewing: Work = self.renewer
        watched: Work = self._watch
        if self._keeper is not None:
            renewing = AfterFirstLook(self._keeper, self.renewer)
            # A secret that is seen before the token that it bought would be taken for a new one.
            watched = AfterFirstLook(self._keeper, self._watch)
        self.renewer.round = rounds.start("renewer", name, renewing, through=upstreams)
        watching = rounds.start("secret watch", name, watched, at=self._watch.due(), through=upstreams)
        woken = [watching]
        if self._keeper is not None:
            woken.append(rounds.start("cache", name, self._keeper))
        for place in self._places:
            woken.append(rounds.start("publisher", name, place.publisher, at=first))
            if place.hook is not None:
                place.hook.round = rounds.start("hook", name, place.hook)
        token.wakes(*woken)

    async def stop(self, *, kept: Sequence[PluginTable] | None) -> None:
        """End the rounds and close the sinks.

        `kept` are the sinks that a successor has; None at shutdown, when every file stays.
        """
        await asyncio.gather(*(place.hook.stop() for place in self._places if place.hook is not None))
        turns = [turn for work in self._rounds() if (turn := work.stop())]
        await asyncio.gather(*turns, return_exceptions=True)
        if self._keeper is not None:
            await self._keeper.flush()
        await asyncio.gather(*(place.stop(kept) for place in self._places))

    @property
    def published(self) -> bool:
        """Whether the token is usable and every sink has taken one of its revisions."""
        return self.token.revision is not None and all(place.publisher.published for place in self._places)

    @property
    def told(self) -> bool:
        """Whether every change was told to whom it may concern, or could not be."""
        return not any(place.hook and place.hook.owes for place in self._places)

    def _rounds(self) -> Iterator[Round]:
        if self.renewer.round is not None:
            yield self.renewer.round
        yield from self.token.woken
        yield from (place.hook.round for place in self._places if place.hook and place.hook.round)
