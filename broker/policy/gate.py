"""Who may ask one authorization server when: its pause, its circuit breaker and its budget of retries, as one value.

Owns: the decision to admit a request or to let it wait, and what an outcome changes. Refuses to know: clocks, queues.
Two servers never share a gate: one that is down says nothing about the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

OPEN_AFTER_FAILURES = 5
PROBE_SECONDS = 30.0
"""While the breaker is open one request in this time looks whether the server is back (R-057)."""
PROBE_FLOOR_SECONDS = 1.0
RETRIES_PER_SECOND = 10 / 60
RETRY_BURST = 10.0
RETRIES_PER_REQUEST = 0.1

Outcome = Literal["succeeded", "refused", "unreachable", "abandoned"]


@dataclass(frozen=True, slots=True)
class Gate:
    """The state of one gate. Times are on the boot clock, in seconds."""

    paused_until: float = 0.0
    unreachable_in_a_row: int = 0
    last_outcome: float = 0.0
    probing: bool = False
    retries_left: float = RETRY_BURST
    filled: float = 0.0


@dataclass(frozen=True, slots=True)
class Admission:
    """Come in if `wait_seconds` is zero; ask again after that long otherwise, because of `reason`."""

    gate: Gate
    wait_seconds: float = 0.0
    reason: str = ""


def admit(gate: Gate, now: float, *, is_retry: bool, remaining_seconds: float) -> Admission:
    """Whether a request may go out now. `remaining_seconds` is the life left in the token that it would renew.

    The breaker lets one request through every 30 s, and more often for a token that is about to expire; the budget lets
    ten retries a minute and one for each ten requests through (R-056). Neither drops anything: who is not let in waits.
    """
    gate = _refilled(gate, now)
    if now < gate.paused_until:
        return Admission(gate, gate.paused_until - now, "the authorization server asked for a pause")
    if gate.unreachable_in_a_row >= OPEN_AFTER_FAILURES:
        every = PROBE_SECONDS
        if remaining_seconds > 0:
            every = max(PROBE_FLOOR_SECONDS, min(PROBE_SECONDS, remaining_seconds / 4))
        left = gate.last_outcome + every - now
        if gate.probing or left > 0:
            return Admission(gate, max(left, PROBE_FLOOR_SECONDS), "the authorization server is away")
        return Admission(replace(gate, probing=True))
    if is_retry:
        if gate.retries_left < 1.0:
            missing = (1.0 - gate.retries_left) / RETRIES_PER_SECOND
            return Admission(gate, missing, "this authorization server's retries are used up for now")
        return Admission(replace(gate, retries_left=gate.retries_left - 1.0))
    return Admission(replace(gate, retries_left=min(RETRY_BURST, gate.retries_left + RETRIES_PER_REQUEST)))


def after(gate: Gate, outcome: Outcome, now: float, *, is_retry: bool) -> Gate:
    """What the outcome of an admitted request changes.

    A retry that succeeds gives back what it took, so that the recovery of many tokens is bounded by the concurrency
    limit and not by the budget.
    """
    match outcome:
        case "unreachable":
            in_a_row = gate.unreachable_in_a_row + 1
            return replace(gate, unreachable_in_a_row=in_a_row, last_outcome=now, probing=False)
        case "abandoned":
            return replace(gate, probing=False)
        case "refused":
            return replace(gate, unreachable_in_a_row=0, last_outcome=now, probing=False)
        case "succeeded":
            left = gate.retries_left + (1.0 if is_retry else 0.0)
            return replace(
                gate,
                unreachable_in_a_row=0,
                last_outcome=now,
                probing=False,
                retries_left=min(RETRY_BURST, left),
            )


def paused(gate: Gate, until: float) -> Gate:
    """A pause never ends earlier because a shorter one is asked for."""
    return replace(gate, paused_until=max(gate.paused_until, until))


def _refilled(gate: Gate, now: float) -> Gate:
    if gate.filled == 0.0:
        return replace(gate, filled=now)
    left = min(RETRY_BURST, gate.retries_left + (now - gate.filled) * RETRIES_PER_SECOND)
    return replace(gate, retries_left=left, filled=now)
