"""From the store to one sink, for one managed token.

Owns: that a sink gets the latest revision, is tried again alone when it fails, and is told to withdraw an expired
token where it is configured so. Refuses to know: what a sink is; minting. A slow sink never queues old tokens: it is
given the current one when it is ready for it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from broker.core.managed_token import ManagedToken
from broker.core.naps import Naps
from broker.core.retrying import until_success
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

    def __init__(
        self,
        *,
        token: ManagedToken,
        sink: TokenSink,
        sink_type: str,
        target: str,
        withdraw_on_expiry: bool,
        runner: BlockingRunner,
        naps: Naps,
        observer: Observer,
        rng: random.Random,
    ) -> None:
        self._token = token
        self._sink = sink
        self._sink_type = sink_type
        self._target = target
        self._withdraw_on_expiry = withdraw_on_expiry
        self._runner = runner
        self._naps = naps
        self._clock = naps.clock
        self._observer = observer
        self._rng = rng
        self._failures = 0
        self._call_under_way = False
        self.published = 0
        """The last revision that this sink took; zero if none."""

    async def run(self) -> None:
        """For ever. Ends only by cancellation."""
        withdrawn = 0
        while True:
            revision = self._token.revision
            if revision is None:
                await self._token.changed()
                continue
            left = revision.token.remaining_seconds(self._clock.now())
            if left > 0:
                if self.published != revision.number or not await self._repaired():
                    await until_success(self._publish, decide=self._decide, sleep=self._nap)
                await self._superseded_within(min(left, REPAIR_SECONDS))
            elif self._withdraw_on_expiry and withdrawn != revision.number:
                await until_success(self._withdraw, decide=self._decide, sleep=self._nap)
                withdrawn = revision.number
            else:
                await self._token.changed()

    async def stop(self, *, withdraw: bool) -> None:
        """Close the sink; `withdraw` when the token left the configuration and its files are to go with it."""
        try:
            if withdraw:
                await self._call(self._sink.withdraw)
            await self._call(self._sink.close)
        except SinkError:
            return

    async def _publish(self) -> None:
        revision = self._token.revision
        if revision is None or revision.token.remaining_seconds(self._clock.now()) <= 0:
            return
        publication = Publication(token_name=self._token.name, revision=revision)
        await self._call(lambda: self._sink.publish(publication))
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
        await self._call(self._sink.withdraw)
        self._succeeded()

    async def _call(self, operation: Callable[[], None]) -> None:
        if self._call_under_way:
            raise SinkError(
                f"{self._target}: an earlier write still hangs: check the file system", code="hangs"
            )

        def call() -> None:
            try:
                operation()
            finally:
                self._call_under_way = False

        self._call_under_way = True
        try:
            await self._runner.run(call, deadline_seconds=PUBLISH_SECONDS)
        except SinkError:
            raise
        except TimeoutError:
            raise SinkError(
                f"{self._target}: no answer within {PUBLISH_SECONDS:.0f} s: check the file system",
                code="timeout",
            ) from None
        except Exception as error:
            raise SinkError(
                f"{self._target}: unexpected {type(error).__name__} in the sink", code="plugin_bug"
            ) from error

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
        revision = self._token.revision
        self._observer(
            Published(
                token=self._token.name,
                sink=self._sink_type,
                target=self._target,
                outcome="failure",
                revision=revision.number if revision else 0,
                message=error.message,
            )
        )
        return retry.publication_delay(self._failures, self._rng.random())

    async def _nap(self, seconds: float) -> None:
        await self._naps.until(self._clock.now().boot + seconds)

    async def _superseded_within(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while self._token.revision is None or self._token.revision.number == self.published:
                    await self._token.changed()
        except TimeoutError:
            return
