"""From the store to one sink, for one managed token.

Owns: that a sink gets the latest revision, is tried again alone when it fails, and is told to withdraw an expired
token where it is configured so. Refuses to know: what a sink is; minting; how a program is told of what changed. A slow
sink never queues old tokens: it is given the current one when it is ready for it.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from broker.core.hook_caller import HookCaller
from broker.core.managed_token import ManagedToken
from broker.core.naps import Naps
from broker.core.retrying import until_success
from broker.core.rounds import NOW, WOKEN
from broker.core.sole_calls import SoleCalls
from broker.errors import BrokerError, SinkError
from broker.events import Published
from broker.model import Publication
from broker.policy import retry
from broker.ports import BlockingRunner, Observer, TokenSink

PUBLISH_SECONDS = 30.0
REPAIR_SECONDS = 45.0
"""How long something that was deleted or changed under us stays so; sinks do not write what is as it should be."""


class Publisher:
    """Publishes one managed token to one sink."""

    __slots__ = (
        "_calls",
        "_clock",
        "_create",
        "_failures",
        "_hook",
        "_naps",
        "_observer",
        "_repair_at",
        "_rng",
        "_sink",
        "_sink_type",
        "_target",
        "_token",
        "_withdraw_on_expiry",
        "_withdrawn",
        "published",
    )

    def __init__(
        self,
        *,
        token: ManagedToken,
        create: Callable[[], TokenSink],
        sink_type: str,
        target: str,
        withdraw_on_expiry: bool,
        runner: BlockingRunner,
        naps: Naps,
        observer: Observer,
        rng: random.Random,
        hook: HookCaller | None = None,
    ) -> None:
        self._token = token
        self._create = create
        self._sink: TokenSink | None = None
        self._sink_type = sink_type
        self._target = target
        self._withdraw_on_expiry = withdraw_on_expiry
        self._calls = SoleCalls(
            runner,
            name=target,
            error=SinkError,
            advice="look at what it depends on",
            deadline_seconds=PUBLISH_SECONDS,
        )
        self._naps = naps
        self._clock = naps.clock
        self._observer = observer
        self._rng = rng
        self._hook = hook
        self._failures = 0
        self.published = 0
        """The last revision that this sink took; zero if none."""
        self._repair_at = 0.0
        self._withdrawn = 0

    async def turn(self) -> float:
        """Publish, repair or withdraw if there is cause; when to look again (`broker.core.rounds`)."""
        revision, now = self._token.revision, self._clock.now()
        if revision is None:
            return WOKEN
        left = revision.token.remaining_seconds(now)
        if left > 0:
            if self.published == revision.number and now.boot < self._repair_at:
                return self._repair_at  # woken by what does not concern us
            if self.published != revision.number or not await self._repaired():
                await until_success(self._publish, decide=self._decide, sleep=self._nap)
            self._repair_at = self._clock.now().boot + min(left, REPAIR_SECONDS)
            return self._repair_at if self.published == self._number() else NOW
        if self._withdraw_on_expiry and self._withdrawn != revision.number:
            await until_success(self._withdraw, decide=self._decide, sleep=self._nap)
            self._withdrawn = revision.number
        return WOKEN

    async def stop(self, *, withdraw: Callable[[], TokenSink] | None) -> None:
        """Close the sink; before that `withdraw` makes the one, this or another, whose publication is to go."""
        try:
            if withdraw is not None:
                await self._calls.call(lambda: withdraw().withdraw())
            if self._sink is not None:
                await self._calls.call(lambda: self.sink().close())
        except SinkError:
            return

    async def _publish(self) -> None:
        revision = self._token.revision
        if revision is None or revision.token.remaining_seconds(self._clock.now()) <= 0:
            return
        publication = Publication(token_name=self._token.name, revision=revision)
        changed = await self._calls.call(lambda: self.sink().publish(publication))
        if changed and self._hook is not None:
            self._hook.changed(publication)
        news = self._failures or self.published != revision.number
        self.published = revision.number
        if news:
            self._succeeded()

    async def _repaired(self) -> bool:
        """Whether what was published is, or is again, as it should be."""
        try:
            await self._publish()
        except SinkError:
            return False
        return True

    async def _withdraw(self) -> None:
        await self._calls.call(lambda: self.sink().withdraw())
        if self._hook is not None:
            self._hook.withdrawn()
        self._succeeded()

    def sink(self) -> TokenSink:
        """The sink, made at first use: in its thread, since a plug-in's code may block or fail."""
        if self._sink is None:
            self._sink = self._create()
            del self._create  # with all that only it needs
        return self._sink

    def _succeeded(self) -> None:
        self._failures = 0
        self._token.sink_broke(self._target, None)
        self._observer(
            Published(
                token=self._token.name,
                sink=self._sink_type,
                target=self._target,
                outcome="success",
                revision=self.published,
            )
        )

    def _decide(self, error: BrokerError) -> float:
        self._failures += 1
        self._token.sink_broke(self._target, error.message)
        self._observer(
            Published(
                token=self._token.name,
                sink=self._sink_type,
                target=self._target,
                outcome="failure",
                revision=self._number(),
                message=error.message,
            )
        )
        return retry.publication_delay(self._failures, self._rng.random())

    async def _nap(self, seconds: float) -> None:
        await self._naps.until(self._clock.now().boot + seconds)

    def _number(self) -> int:
        return self._token.revision.number if self._token.revision else 0
