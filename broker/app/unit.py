"""One managed token at work: its renewer, secret watch and publishers, started and stopped together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from broker.app.publisher_place import PublisherPlace
from broker.config.schema import PluginTable, TokenTable
from broker.core.cache.keeper import Keeper
from broker.core.managed_token import ManagedToken
from broker.core.renewer import Renewer
from broker.core.rounds import NOW, WOKEN, Round, Rounds
from broker.core.secret_watch import SecretWatch


class Unit:
    """The running parts of one managed token."""

    __slots__ = (
        "_keeper",
        "_places",
        "_rounds",
        "_watch",
        "identity",
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
        surroundings: object,
        identity: str,
        keeper: Keeper | None,
        renewer: Renewer,
        watch: SecretWatch,
        publishers: Sequence[PublisherPlace],
    ) -> None:
        self.token = token
        self.table = table
        self.surroundings = surroundings
        """What else in the configuration this unit was built from."""
        self.identity = identity
        self._keeper = keeper
        self.renewer = renewer
        self._watch = watch
        self._places = tuple(publishers)
        self._rounds: tuple[Round, ...] = ()

    def start(self, rounds: Rounds) -> None:
        """Have all parts do their rounds."""
        name, token = self.token.name, self.token
        first = WOKEN if token.revision is None else NOW
        self.renewer.round = rounds.start("renewer", name, self._renew)
        woken = [rounds.start("secret watch", name, self._watch.turn, at=self._watch.due())]
        if self._keeper is not None:
            woken.append(rounds.start("cache", name, self._keeper.turn))
        for place in self._places:
            woken.append(rounds.start("publisher", name, place.publisher.turn, at=first))
            if place.hook is not None:
                place.hook.round = rounds.start("hook", name, place.hook.turn)
                self._rounds += (place.hook.round,)
        token.wakes(*woken)
        self._rounds += (self.renewer.round, *woken)

    async def _renew(self) -> float:
        """No mint before it is known that the cache holds no token."""
        if self._keeper is not None:
            await self._keeper.first_look()
        return await self.renewer.turn()

    async def stop(self, *, kept: Sequence[PluginTable] | None) -> None:
        """End the rounds and close the sinks.

        `kept` are the sinks that a successor has; None at shutdown, when every file stays.
        """
        await asyncio.gather(*(place.hook.stop() for place in self._places if place.hook is not None))
        turns = [turn for work in self._rounds if (turn := work.stop())]
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
