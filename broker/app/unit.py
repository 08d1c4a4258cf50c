"""One managed token at work: its renewer, secret watch and publishers, started and stopped together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from broker.app.publisher_place import PublisherPlace
from broker.app.supervision import supervise
from broker.config.schema import TokenTable
from broker.core.cache.keeper import Keeper
from broker.core.managed_token import ManagedToken
from broker.core.renewer import Renewer
from broker.core.secret_watch import SecretWatch


class Unit:
    """The running parts of one managed token."""

    def __init__(
        self,
        *,
        token: ManagedToken,
        table: TokenTable,
        fingerprint: object,
        identity: str,
        keeper: Keeper | None,
        renewer: Renewer,
        watch: SecretWatch,
        publishers: Sequence[PublisherPlace],
    ) -> None:
        self.token = token
        self.table = table
        self.fingerprint = fingerprint
        """Everything in the configuration that this unit was built from; equal means unchanged."""
        self.identity = identity
        self._keeper = keeper
        self.renewer = renewer
        self._watch = watch
        self._places = tuple(publishers)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, group: asyncio.TaskGroup) -> None:
        """Start the tasks."""
        name = self.token.name
        works = [(f"cache {name}", self._keeper.run)] if self._keeper else []
        works += [(f"renewer {name}", self._renew), (f"secret watch {name}", self._watch.run)]
        works += [(f"publisher {name} {place.target}", place.publisher.run) for place in self._places]
        works += [(f"hook {name} {place.target}", place.hook.run) for place in self._places if place.hook]
        self._tasks = [
            group.create_task(supervise(task_name, work), name=task_name) for task_name, work in works
        ]

    async def _renew(self) -> None:
        """No mint before it is known that the cache holds no token."""
        if self._keeper is not None:
            await self._keeper.first_look()
        await self.renewer.run()

    async def stop(self, *, keep: frozenset[str] | None) -> None:
        """Cancel the tasks and close the sinks.

        `keep` names the targets that a successor goes on publishing; None at shutdown, when every file stays.
        """
        await asyncio.gather(*(place.hook.stop() for place in self._places if place.hook is not None))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._keeper is not None:
            await self._keeper.flush()
        await asyncio.gather(
            *(
                place.publisher.stop(
                    withdraw=keep is not None and place.withdraw_when_removed and place.target not in keep
                )
                for place in self._places
            )
        )

    @property
    def targets(self) -> frozenset[str]:
        """Where this unit publishes."""
        return frozenset(place.target for place in self._places)

    @property
    def published(self) -> bool:
        """Whether the token is usable and every sink has taken one of its revisions."""
        return self.token.revision is not None and all(place.publisher.published for place in self._places)

    @property
    def told(self) -> bool:
        """Whether every change was told to whom it may concern, or could not be."""
        return not any(place.hook and place.hook.owes for place in self._places)
