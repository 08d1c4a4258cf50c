"""The life of one managed token, as a function: (life, event, now) -> (life, effects).

Owns: what each event changes and what has to be done about it; every verdict carries its reason. Refuses to know: who
attempts, sleeps or publishes, clocks and randomness (`now` and drawn numbers come with the events).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, assert_never

from broker.errors import Condition, ErrorClass
from broker.model import Moment, Revision, TokenState
from broker.policy import renewal, retry
from broker.policy.life_events import (
    Adopted,
    AttemptBegan,
    AttemptFailed,
    BackOff,
    BackOffEnded,
    Effect,
    Event,
    Failure,
    Minted,
    MintNow,
    PauseServer,
    RenewalWanted,
    SecretChanged,
    SecretSeen,
    SecretUnreadable,
)

__all__ = [
    "Adopted",
    "AttemptBegan",
    "AttemptFailed",
    "BackOff",
    "BackOffEnded",
    "Effect",
    "Event",
    "Failure",
    "Life",
    "MintNow",
    "Minted",
    "PauseServer",
    "RenewalWanted",
    "SecretChanged",
    "SecretSeen",
    "SecretUnreadable",
    "Step",
    "step",
]

BACKEND_CONDITIONS: frozenset[Condition] = frozenset(
    {"backend_unreachable", "backend_denied", "secret_missing"}
)

Phase = Literal["resting", "attempting", "backing_off"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """All that decisions about one managed token depend on."""

    renew_at: float
    min_lifetime_seconds: float
    phase: Phase = "resting"
    revision: Revision | None = None
    outdated: bool = False
    """Whether the revision was minted for another identity or client: any successor replaces it (R-073)."""
    condition: Condition = "renewing"
    reason: str = "no attempt has ended yet"
    failures: int = 0
    class_failures: int = 0
    last_error: ErrorClass | None = None
    next_attempt: Moment | None = None
    not_before_boot: float = 0.0
    secret_version: str | None = None

    def plan(self, now: Moment) -> renewal.RenewalPlan:
        """When the current revision is renewed."""
        return renewal.plan(
            self.revision, renew_at=self.renew_at, now=now, not_before_boot=self.not_before_boot
        )

    def state(self, now: Moment) -> TokenState:
        """By the token's own life."""
        return renewal.state(self.revision, due=self.plan(now).due, failures=self.failures, now=now)

    def remaining_seconds(self, now: Moment) -> float:
        """Seconds of use left; zero if there is no token."""
        return max(0.0, self.revision.token.remaining_seconds(now)) if self.revision else 0.0


@dataclass(frozen=True, slots=True)
class Step:
    """The life after an event, and what to do."""

    life: Life
    effects: tuple[Effect, ...] = ()


def step(life: Life, event: Event, now: Moment) -> Step:
    """What an event makes of a life."""
    match event:
        case AttemptBegan():
            begun = replace(life, phase="attempting", next_attempt=None)
            # After a failure the condition goes on telling it until an attempt succeeds.
            return Step(
                begun if life.failures else replace(begun, condition="renewing", reason="a mint is under way")
            )
        case Minted():
            return Step(_minted(life, event, now))
        case AttemptFailed():
            return _failed(life, event, now)
        case BackOffEnded():
            return Step(replace(life, phase="attempting"), (MintNow("the back-off is over"),))
        case RenewalWanted():
            # During a flight the flight is the answer, also while it waits for the end of a pause or back-off.
            return Step(life, (MintNow("asked for"),) if life.phase == "resting" else ())
        case SecretChanged():
            changed = replace(life, secret_version=event.version, class_failures=0, outdated=True)
            return Step(
                changed, (MintNow("the client secret changed"),) if life.phase != "attempting" else ()
            )
        case SecretSeen():
            return Step(_seen(life, event))
        case SecretUnreadable():
            return Step(_unreadable(life, event.failure))
        case Adopted():
            return Step(
                replace(
                    life,
                    revision=event.revision,
                    outdated=event.outdated,
                    secret_version=event.revision.token.secret_version,
                    condition=life.condition if life.failures else "ok",
                    reason=life.reason if life.failures else event.why,
                )
            )
        case _:
            assert_never(event)


def _minted(life: Life, event: Minted, now: Moment) -> Life:
    token, current = event.token, life.revision
    if current and not renewal.replaces(token, current.token, outdated=life.outdated, now=now):
        revision = current
        not_before = now.boot + renewal.kept_for_seconds(current.token, now=now)
        outcome = "the server gave no token that lives longer: the current one is kept"
    else:
        same = current is not None and token.value == current.token.value
        number = (current.number if current else 0) + (0 if same else 1)
        revision, not_before = Revision(number=number, token=token, jitter=event.jitter), 0.0
        outcome = "minted"
        if token.expires_in < life.min_lifetime_seconds:
            outcome = f"minted; its lifetime of {token.expires_in} s is below min_lifetime"
    condition: Condition = "ok"
    if event.trouble is not None:
        condition = event.trouble.condition
        outcome = f"minted with the last good secret: {event.trouble.message}"
    return replace(
        life,
        phase="resting",
        revision=revision,
        outdated=False,
        not_before_boot=not_before,
        condition=condition,
        reason=outcome,
        failures=0,
        class_failures=0,
        last_error=None,
        next_attempt=None,
        secret_version=token.secret_version,
    )


def _failed(life: Life, event: AttemptFailed, now: Moment) -> Step:
    failure = event.failure
    in_a_row = life.class_failures + 1 if failure.error_class == life.last_error else 1
    decision = retry.next_attempt(
        failure.error_class,
        # A server that fails in ever new ways does not earn the fast lane ever anew.
        failures=in_a_row if failure.error_class == "credential" else life.failures + 1,
        remaining_seconds=life.remaining_seconds(now),
        retry_after_seconds=failure.retry_after_seconds,
        draw=event.draw,
    )
    delay = decision.delay_seconds
    failed = replace(
        life,
        phase="backing_off",
        condition=failure.condition,
        reason=failure.message,
        failures=life.failures + 1,
        class_failures=in_a_row,
        last_error=failure.error_class,
        next_attempt=Moment(now.wall + delay, now.boot + delay),
    )
    pause = (PauseServer(delay),) if failure.error_class == "throttled" else ()
    return Step(failed, (BackOff(delay, decision.reason), *pause))


def _seen(life: Life, event: SecretSeen) -> Life:
    """A mint that had to use the last good secret is told about until the backend answers again."""
    seen = life
    if event.version and event.version != life.secret_version:
        seen = replace(life, secret_version=event.version)
    if life.phase == "resting" and not life.failures and life.condition not in ("ok", "renewing"):
        return replace(seen, condition="ok", reason="the secret backend answers again")
    return seen


def _unreadable(life: Life, failure: Failure) -> Life:
    """Where the backend is what keeps the token from being minted, the newest of its reasons is told."""
    if life.phase == "backing_off" and life.condition in BACKEND_CONDITIONS:
        return replace(life, condition=failure.condition, reason=failure.message)
    return life
