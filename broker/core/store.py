"""All managed tokens by name, as the servers see them.

Owns: the look-up by name, on-demand renewal and its rate limit, waiting. Implements `ports.TokenReader`. Refuses to
know: who asks (rights are the server's business) and how tokens are minted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from broker.core.managed_token import ManagedToken
from broker.events import TokenRejected
from broker.model import Revision, TokenRecord, TokenState
from broker.policy import rejection
from broker.ports import Clock, Observer, RenewAnswer

BURST = 3
SECONDS_PER_RENEWAL = 10.0

_NO_REJECTIONS: Final = rejection.Rejections()


class Renews(Protocol):
    """Who mints for one managed token."""

    def request(self) -> RenewAnswer:
        """Mint now."""
        ...


class RenewalBudget:
    """A bucket of on-demand renewals: a burst of three, then one per ten seconds."""

    __slots__ = ("_clock", "_filled", "_left")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._left = float(BURST)
        self._filled = clock.now().boot

    def take(self) -> bool:
        """Whether one more is allowed now."""
        now = self._clock.now().boot
        self._left = min(float(BURST), self._left + (now - self._filled) / SECONDS_PER_RENEWAL)
        self._filled = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class Entry:
    """One managed token and who renews it; what was asked of it, once something was."""

    __slots__ = ("_budget", "rejections", "renewer", "token")

    def __init__(self, token: ManagedToken, renewer: Renews) -> None:
        self.token = token
        self.renewer = renewer
        self.rejections = _NO_REJECTIONS
        self._budget: RenewalBudget | None = None

    def budget(self, clock: Clock) -> RenewalBudget:
        """Of renewals on demand."""
        if self._budget is None:
            self._budget = RenewalBudget(clock)
        return self._budget


class Store:
    """Name -> managed token."""

    def __init__(self, clock: Clock, observer: Observer) -> None:
        self._clock = clock
        self._observer = observer
        self._entries: dict[str, Entry] = {}

    def put(self, token: ManagedToken, renewer: Renews) -> None:
        """Add or replace a managed token."""
        self._entries[token.name] = Entry(token, renewer)

    def remove(self, name: str) -> None:
        """Forget a managed token."""
        del self._entries[name]

    def names(self) -> Sequence[str]:
        """The configured names, sorted."""
        return sorted(self._entries)

    def revision(self, name: str) -> Revision | None:
        """The current revision, expired or not."""
        return self._entries[name].token.revision

    def state(self, name: str) -> TokenState:
        """The state alone."""
        return self._entries[name].token.state

    def record(self, name: str) -> TokenRecord:
        """State, condition and schedule."""
        return self._entries[name].token.record()

    def renew(self, name: str) -> RenewAnswer:
        """Ask for a mint now."""
        entry = self._entries[name]
        return entry.renewer.request() if entry.budget(self._clock).take() else "rate_limited"

    def reject(self, name: str, *, fingerprint: str, requested_at: float | None) -> rejection.Verdict:
        """An API refused this token: mint another one if the report is about the current one."""
        entry = self._entries[name]
        entry.rejections, verdict = rejection.judge(
            entry.rejections,
            entry.token.revision,
            fingerprint=fingerprint,
            requested_at=requested_at,
            now=self._clock.now(),
        )
        if verdict == "started":
            entry.renewer.request()
        self._observer(TokenRejected(token=name, outcome=verdict))
        return verdict

    async def wait_usable(self, name: str, *, min_valid_seconds: float, timeout_seconds: float) -> bool:
        """Until the token has that much life left, renewing it once if it has not."""
        token = self._entries[name].token

        def usable() -> bool:
            left = token.remaining_seconds(self._clock.now())
            return left > 0 and left >= min_valid_seconds

        if usable():
            return True
        if token.remaining_seconds(self._clock.now()) > 0:
            self.renew(name)
        return await self._wait(token, usable, timeout_seconds)

    async def wait_revision(self, name: str, *, after: int, timeout_seconds: float) -> bool:
        """Until a revision above `after` is there."""
        token = self._entries[name].token
        return await self._wait(
            token, lambda: token.revision is not None and token.revision.number > after, timeout_seconds
        )

    async def _wait(self, token: ManagedToken, met: Callable[[], bool], timeout_seconds: float) -> bool:
        try:
            async with asyncio.timeout(timeout_seconds):
                while not met():
                    await token.changed()
        except TimeoutError:
            return met()
        return True
