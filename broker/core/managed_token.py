"""What is known about one managed token right now.

Owns: the current revision, the outcome of the last attempt, and who waits for either to change. Refuses to know: how
tokens are minted or published. Loop-confined: no locks.
"""

from __future__ import annotations

import asyncio

from broker.errors import BrokerError, Condition, ErrorClass
from broker.events import StateChanged
from broker.model import AccessToken, Moment, Revision, TokenRecord, TokenState
from broker.policy import renewal
from broker.ports import Clock, Observer


class ManagedToken:
    """One configured name: current revision, condition and schedule."""

    def __init__(self, name: str, *, renew_at: float, clock: Clock, observer: Observer) -> None:
        self.name = name
        self.renew_at = renew_at
        self.revision: Revision | None = None
        self.failures = 0
        self.class_failures = 0
        self.last_error: ErrorClass | None = None
        self.secret_version: str | None = None
        self.next_attempt: Moment | None = None
        self._clock = clock
        self._observer = observer
        self._not_before_boot = 0.0
        self._condition: Condition = "renewing"
        self._reason = "no attempt has ended yet"
        self._broken_sinks: dict[str, str] = {}
        self._waiters: set[asyncio.Future[None]] = set()
        self._told: tuple[TokenState, Condition] = ("absent", "renewing")

    def adopt(self, other: ManagedToken) -> None:
        """Go on serving what a predecessor of the same name served."""
        self.revision = other.revision
        self.secret_version = other.secret_version
        self._told = other._told
        self._settle("ok" if self.revision else "renewing", "taken over at a reload")

    def attempting(self) -> None:
        """An attempt has begun; after a failure the condition goes on telling the failure until one succeeds."""
        self.next_attempt = None
        if not self.failures:
            self._settle("renewing", "a mint is under way")

    def take(
        self, token: AccessToken, *, jitter: float, trouble: BrokerError | None, degraded: str | None
    ) -> Revision:
        """Make this token the current revision; `trouble` is what went wrong without preventing it."""
        now = self._clock.now()
        current = self.revision
        if current is not None and not renewal.replaces(token, current.token, now=now):
            new = current
            self._not_before_boot = now.boot + renewal.kept_for_seconds(current.token, now=now)
        else:
            same = current is not None and token.value == current.token.value
            number = current.number + (0 if same else 1) if current else 1
            new = Revision(number=number, token=token, jitter=jitter)
            self._not_before_boot = 0.0
        self.revision = new
        self.failures = self.class_failures = 0
        self.last_error = None
        self.next_attempt = None
        self.secret_version = token.secret_version
        if trouble is None:
            self._settle("ok", degraded or "minted")
        else:
            self._settle(trouble.condition, f"minted with the last good secret: {trouble.message}")
        return new

    def failed(self, error: BrokerError) -> int:
        """Count a failed attempt; returns how many of this class there were in a row."""
        self.class_failures = self.class_failures + 1 if error.error_class == self.last_error else 1
        self.failures += 1
        self.last_error = error.error_class
        self._settle(error.condition, error.message)
        return self.class_failures

    def secret_changed(self, version: str | None) -> None:
        """The backend holds a new secret: the back-off of a rejected one starts over."""
        self.secret_version = version
        self.class_failures = 0
        self._notify()

    def sink_broke(self, target: str, message: str | None) -> None:
        """A sink failed (`message`) or works again (None)."""
        if message is None:
            self._broken_sinks.pop(target, None)
        else:
            self._broken_sinks[target] = message
        self._notify()

    def backend_recovered(self) -> None:
        """The backend answers again after a mint that had to use the last good secret."""
        if not self.failures and self._condition not in ("ok", "renewing"):
            self._settle("ok", "the secret backend answers again")

    @property
    def condition(self) -> Condition:
        """The outcome of the last attempt; a broken sink shows where nothing worse does."""
        if self._condition in ("ok", "renewing") and self._broken_sinks:
            return "publish_failed"
        return self._condition

    def renewal_plan(self, now: Moment) -> renewal.RenewalPlan:
        """When the current revision is renewed."""
        return renewal.plan(
            self.revision, renew_at=self.renew_at, now=now, not_before_boot=self._not_before_boot
        )

    def state(self, now: Moment) -> TokenState:
        """By the token's own life."""
        due = self.renewal_plan(now).due
        return renewal.state(self.revision, due=due, failures=self.failures, now=now)

    def remaining_seconds(self, now: Moment) -> float:
        """Seconds of use left; zero if there is no token."""
        return max(0.0, self.revision.token.remaining_seconds(now)) if self.revision else 0.0

    def record(self) -> TokenRecord:
        """All that may be told."""
        now = self._clock.now()
        token = self.revision.token if self.revision else None
        condition = self.condition
        planned = self.next_attempt or self.renewal_plan(now).due
        return TokenRecord(
            name=self.name,
            state=self.state(now),
            condition=condition,
            reason=next(iter(self._broken_sinks.values())) if condition == "publish_failed" else self._reason,
            revision=self.revision.number if self.revision else 0,
            issued_at=token.issued.wall if token else None,
            expires_at=token.expires_at if token else None,
            next_renewal_at=planned.wall,
            secret_version=self.secret_version,
            last_error=self.last_error,
            retry_after_seconds=max(1.0, planned.boot - now.boot),
            lifetime_seconds=token.usable_seconds if token else None,
            consecutive_failures=self.failures,
        )

    async def changed(self) -> None:
        """Return at the next change of revision, state or condition."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(future)
        try:
            await future
        finally:
            self._waiters.discard(future)

    def look(self) -> None:
        """Tell observers if time alone changed the state."""
        self._tell()

    def _settle(self, condition: Condition, reason: str) -> None:
        self._condition, self._reason = condition, reason
        self._notify()

    def _notify(self) -> None:
        for future in self._waiters:
            if not future.done():
                future.set_result(None)
        self._tell()

    def _tell(self) -> None:
        state, condition = self.state(self._clock.now()), self.condition
        if condition != "renewing" and (state, condition) != self._told:
            self._told = (state, condition)
            self._observer(
                StateChanged(token=self.name, state=state, condition=condition, reason=self.record().reason)
            )
