"""From one sink to the program that reads what is published there: told of each change, one call at a time.

Owns: that the latest change is told, that changes during a call become one, that a failed call is made again alone, and
not too many at once (`turns` are shared with the other callers).
Refuses to know: how a program is told; the sink, the token's state and condition, which a failure does not touch: what
is published is published.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

from broker.core.naps import Bell, Naps
from broker.core.retrying import until_success
from broker.core.rounds import WOKEN, Round
from broker.core.sole_calls import SoleCalls
from broker.errors import BrokerError, HookError
from broker.events import HookRan
from broker.model import Publication
from broker.policy import retry
from broker.ports import BlockingRunner, ChangeHook, Observer

CLOSE_SECONDS = 2.0
CALL_SECONDS = 40.0
"""A hook has its own limit of 30 s; this is for one that cannot even be ended."""


class HookCaller:
    """Calls one hook of one sink."""

    def __init__(
        self,
        *,
        hook: ChangeHook,
        token_name: str,
        sink_type: str,
        target: str,
        runner: BlockingRunner,
        turns: asyncio.Semaphore,
        naps: Naps,
        observer: Observer,
        rng: random.Random,
    ) -> None:
        self._hook = hook
        self._runner = runner
        self._token_name = token_name
        self._sink_type = sink_type
        self._target = target
        self._calls = SoleCalls(
            runner,
            name=f"on_change of {target}",
            error=HookError,
            advice="look at the program",
            deadline_seconds=CALL_SECONDS,
        )
        self._turns = turns
        self._naps = naps
        self._clock = naps.clock
        self._observer = observer
        self._rng = rng
        self._latest: Publication | None = None
        self._news = Bell()
        self._failures = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopping = False
        self.round: Round | None = None
        """What has to be woken for a change."""
        self.owes = False
        """Whether a change has not been told at all: not even in an attempt that failed."""

    def changed(self, publication: Publication) -> None:
        """There is something new in the sink; never waits. A revision that is known already is no news."""
        if self._latest is None or self._latest.revision.number != publication.revision.number:
            self._latest = publication
            self.owes = True
            self._news.ring()
            if self.round is not None:
                self.round.wake()

    def withdrawn(self) -> None:
        """There is nothing in the sink any more, and so nothing to tell."""
        self._latest = None
        self.owes = False

    async def turn(self) -> float:
        """Tell what is to be told (`broker.core.rounds`)."""
        if self._news.rung:
            await until_success(self._tell, decide=self._decide, sleep=self._nap)
        return WOKEN

    async def stop(self) -> None:
        """End what is under way, waiting two seconds at most; what was not told is told by the next process."""
        self._stopping = True
        with suppress(Exception):  # nothing that closing says may delay the exit
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._runner.run(self._hook.close, deadline_seconds=CLOSE_SECONDS)
                await self._idle.wait()

    async def _tell(self) -> None:
        async with self._turns:
            self._news.silence()
            publication = self._latest
            if publication is None:
                return
            began = self._clock.now().boot
            self._idle.clear()
            try:
                await self._calls.call(lambda: self._hook.tell(publication))
            except HookError as error:
                self._failures += 1
                if not self._stopping:
                    self._report(publication, began, error.message)
                raise
            finally:
                self._idle.set()
        self._failures = 0
        self._report(publication, began, None)

    def _report(self, publication: Publication, began: float, message: str | None) -> None:
        self.owes = self._latest is not None and self._latest is not publication
        self._observer(
            HookRan(
                token=self._token_name,
                sink=self._sink_type,
                target=self._target,
                outcome="success" if message is None else "failure",
                revision=publication.revision.number,
                duration_seconds=self._clock.now().boot - began,
                message=message,
            )
        )

    def _decide(self, _: BrokerError) -> float:
        return retry.hook_delay(self._failures, self._rng.random())

    async def _nap(self, seconds: float) -> None:
        """A change ends the back-off: what could not be told of the old token may well be told of the new one."""
        await self._naps.until(self._clock.now().boot + seconds, self._news)
