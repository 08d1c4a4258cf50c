"""The gate before one authorization server: how many mints at once, the pause it asked for, breaker and budget.

Owns: the concurrency limit and the state of `policy.gate`, shared by all tokens of one `[authorization_servers.NAME]`
table. Refuses to know: when who may pass (`policy.gate`) and for how long a pause is due (`policy.retry`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from broker.core.naps import SHORTEST_NAP_SECONDS, Naps
from broker.errors import BrokerError
from broker.policy import gate as gates


class Gate:
    """Who may ask one authorization server."""

    def __init__(self, *, max_concurrent_mints: int, naps: Naps) -> None:
        self._slots = asyncio.Semaphore(max_concurrent_mints)
        self._naps = naps
        self._clock = naps.clock
        self._state = gates.Gate()

    def pause(self, seconds: float) -> None:
        """Let nobody through for that long."""
        self._state = gates.paused(self._state, self._clock.now().boot + seconds)

    @asynccontextmanager
    async def slot(self, *, is_retry: bool, remaining_seconds: float) -> AsyncIterator[None]:
        """Wait until the request may go out; what it raises decides about those after it."""
        async with self._admitted(is_retry=is_retry, remaining_seconds=remaining_seconds):
            outcome: gates.Outcome = "abandoned"
            try:
                yield
                outcome = "succeeded"
            except BrokerError as error:
                outcome = "unreachable" if error.error_class == "transient" else "refused"
                raise
            finally:
                now = self._clock.now().boot
                self._state = gates.after(self._state, outcome, now, is_retry=is_retry)

    @asynccontextmanager
    async def _admitted(self, *, is_retry: bool, remaining_seconds: float) -> AsyncIterator[None]:
        while True:
            # Waiting happens outside of the slots: who waits for a probe must not keep out who need not wait.
            async with self._slots:
                now = self._clock.now().boot
                admission = gates.admit(
                    self._state, now, is_retry=is_retry, remaining_seconds=remaining_seconds
                )
                self._state = admission.gate
                if admission.wait_seconds == 0:
                    yield
                    return
            await self._naps.until(now + max(admission.wait_seconds, SHORTEST_NAP_SECONDS))
