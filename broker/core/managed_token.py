"""What is known about one managed token right now.

Owns: its life (`policy.life`), its sinks' troubles, and who waits for either to change. Refuses to know: decisions, how
tokens are minted or published. Loop-confined: no locks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from broker.core.rounds import Round
from broker.errors import Condition
from broker.events import StateChanged
from broker.model import Moment, Revision, TokenRecord, TokenState
from broker.policy import life as lives
from broker.policy import renewal
from broker.ports import Clock, Observer

_ALL_SOUND: Final[Mapping[str, str]] = {}


class ManagedToken:
    """One configured name."""

    __slots__ = ("_broken_sinks", "_clock", "_observer", "_told", "_waiters", "life", "name", "woken")

    def __init__(
        self, name: str, *, renew_at: float, min_lifetime_seconds: float, clock: Clock, observer: Observer
    ) -> None:
        self.name = name
        self.life = lives.Life(renew_at=renew_at, min_lifetime_seconds=min_lifetime_seconds)
        self._clock = clock
        self._observer = observer
        self._broken_sinks = _ALL_SOUND
        self._waiters: tuple[asyncio.Future[None], ...] = ()
        self.woken: tuple[Round, ...] = ()
        """Have a turn at each change of revision, state or condition."""
        self._told: tuple[TokenState, Condition] = ("absent", "renewing")

    def apply(self, event: lives.Event) -> tuple[lives.Effect, ...]:
        """Let an event happen now; answers what has to be done about it."""
        step = lives.step(self.life, event, self._clock.now())
        if step.life is not self.life and step.life != self.life:
            self.life = step.life
            self._notify()
        return step.effects

    def adopt(self, other: ManagedToken, *, outdated: bool) -> None:
        """Go on serving what a predecessor of the same name served, `outdated` if that had another identity."""
        self._told = other._told
        if other.revision is not None:
            outdated = outdated or other.life.outdated
            self.apply(lives.Adopted(other.revision, "taken over at a reload", outdated))

    @property
    def revision(self) -> Revision | None:
        """The current revision, expired or not."""
        return self.life.revision

    @property
    def state(self) -> TokenState:
        """By the token's own life, now."""
        return self.life.state(self._clock.now())

    @property
    def condition(self) -> Condition:
        """The outcome of the last attempt; a broken sink shows where nothing worse does."""
        if self.life.condition in ("ok", "renewing") and self._broken_sinks:
            return "publish_failed"
        return self.life.condition

    def sink_broke(self, target: str, message: str | None) -> None:
        """A sink failed (`message`) or works again (None)."""
        broken = dict(self._broken_sinks)
        if message is None:
            broken.pop(target, None)
        else:
            broken[target] = message
        self._broken_sinks = broken or _ALL_SOUND
        self._notify()

    def renewal_plan(self, now: Moment) -> renewal.RenewalPlan:
        """When the current revision is renewed."""
        return self.life.plan(now)

    def remaining_seconds(self, now: Moment) -> float:
        """Seconds of use left; zero if there is no token."""
        return self.life.remaining_seconds(now)

    def record(self) -> TokenRecord:
        """All that may be told."""
        now, life = self._clock.now(), self.life
        token = life.revision.token if life.revision else None
        condition = self.condition
        planned = life.next_attempt or life.plan(now).due
        return TokenRecord(
            name=self.name,
            state=life.state(now),
            condition=condition,
            reason=next(iter(self._broken_sinks.values())) if condition == "publish_failed" else life.reason,
            revision=life.revision.number if life.revision else 0,
            issued_at=token.issued.wall if token else None,
            expires_at=token.expires_at if token else None,
            next_renewal_at=planned.wall,
            secret_version=life.secret_version,
            last_error=life.last_error,
            retry_after_seconds=max(1.0, planned.boot - now.boot),
            lifetime_seconds=token.usable_seconds if token else None,
            consecutive_failures=life.failures,
        )

    async def changed(self) -> None:
        """Return at the next change of revision, state or condition."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters += (future,)
        try:
            await future
        finally:
            self._waiters = tuple(other for other in self._waiters if other is not future)

    def wakes(self, *works: Round) -> None:
        """Give these works a turn at each change of revision, state or condition."""
        self.woken += works

    def look(self) -> None:
        """Tell observers if time alone changed the state."""
        state, condition = self.state, self.condition
        if condition != "renewing" and (state, condition) != self._told:
            self._told = (state, condition)
            self._observer(
                StateChanged(token=self.name, state=state, condition=condition, reason=self.record().reason)
            )

    def _notify(self) -> None:
        for future in self._waiters:
            if not future.done():
                future.set_result(None)
        for work in self.woken:
            work.wake()
        self.look()
