"""What to do after which error: one function from the class of a failure to the delay before the next attempt.

Owns: the fast lane, the slow lane, the credential back-off, how Retry-After is bounded. Refuses to know: clocks,
randomness (a number drawn from [0, 1) comes in) and who sleeps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from broker.errors import ErrorClass

FAST_LANE_ATTEMPTS = 8
FAST_LANE_CAP_SECONDS = 59.0
SLOW_LANE_SECONDS = 300.0
SLOW_LANE_SPREAD = 0.2
CREDENTIAL_FIRST_SECONDS = 60.0
CREDENTIAL_CAP_SECONDS = 900.0
THROTTLED_DEFAULT_SECONDS = 60.0
THROTTLED_FLOOR_SECONDS = 1.0
THROTTLED_CAP_SECONDS = 900.0
THROTTLED_SPREAD_SECONDS = 5.0
FLOOR_SECONDS = 1.0
PATIENCE_FLOOR_SECONDS = 5.0
HOOK_CAP_SECONDS = 300.0
BUG_CAP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class RetryDecision:
    """Wait `delay_seconds`, because of `reason`."""

    delay_seconds: float
    reason: str


def next_attempt(
    error_class: ErrorClass,
    *,
    failures: int,
    remaining_seconds: float,
    retry_after_seconds: float | None,
    draw: float,
) -> RetryDecision:
    """The delay before the next attempt after the `failures`-th failure in a row.

    1 is the first; for a rejected credential those of its class alone are counted.
    `remaining_seconds` is the life left in the current token (zero or less: none). No delay is below one second
    (R-053); while a token is valid every delay but a pause asked for by the server and the credential back-off is at
    most a quarter of the life left: a token with hours left waits in comfort, one with minutes left does not.
    """
    match error_class:
        case "throttled":
            asked = THROTTLED_DEFAULT_SECONDS if retry_after_seconds is None else retry_after_seconds
            # A server that goes on saying "again in no time" is asked less and less often all the same.
            floor = min(THROTTLED_FLOOR_SECONDS * 2.0 ** min(failures - 1, 10), THROTTLED_DEFAULT_SECONDS)
            pause = min(max(asked, floor), THROTTLED_CAP_SECONDS)
            spread = min(THROTTLED_SPREAD_SECONDS, pause)
            return RetryDecision(pause + draw * spread, "the authorization server asked for a pause")
        case "credential":
            doubled = CREDENTIAL_FIRST_SECONDS * 2.0 ** min(failures - 1, 10)
            return RetryDecision(
                min(doubled, CREDENTIAL_CAP_SECONDS), "the client secret was refused and has not changed"
            )
        case "configuration":
            delay, reason = _slow_lane(draw), "slow lane: trying again changes nothing by itself"
        case "transient" | "protocol":
            if failures <= FAST_LANE_ATTEMPTS:
                delay = FLOOR_SECONDS + draw * min(FAST_LANE_CAP_SECONDS, 2.0**failures)
                reason = f"fast lane, failure {failures}"
            else:
                delay, reason = _slow_lane(draw), f"slow lane after {FAST_LANE_ATTEMPTS} failures"
        case _:
            assert_never(error_class)
    if remaining_seconds > 0:
        delay = min(delay, max(FLOOR_SECONDS, remaining_seconds / 4))
    return RetryDecision(delay, reason)


def patience_seconds(limit_seconds: float, *, remaining_seconds: float) -> float:
    """How long to wait for an answer: with a valid token a quarter of its life, so one lost answer is no expiry."""
    if remaining_seconds <= 0:
        return limit_seconds
    return min(limit_seconds, max(PATIENCE_FLOOR_SECONDS, remaining_seconds / 4))


def publication_delay(failures: int, draw: float) -> float:
    """Seconds before a sink is tried again: local faults heal quickly, and must within a minute (F-31)."""
    return FLOOR_SECONDS + draw * min(29.0, 2.0 ** min(failures, 10))


def hook_delay(failures: int, draw: float) -> float:
    """Seconds before a program is told again: at once it may just be restarting, for hours it may be gone."""
    return min(HOOK_CAP_SECONDS, 2.0 ** min(failures, 10)) * (1 + draw) / 2


def bug_delay(last_seconds: float, *, ran_seconds: float) -> float:
    """Seconds before work that a bug ended begins again (R-063).

    `last_seconds` is what this answered the last time, zero after work without a bug: twice that, up to a minute; but
    work that ran for longer than a minute begins anew with one second.
    """
    if ran_seconds > BUG_CAP_SECONDS:
        return FLOOR_SECONDS
    return min(max(2 * last_seconds, FLOOR_SECONDS), BUG_CAP_SECONDS)


def _slow_lane(draw: float) -> float:
    return SLOW_LANE_SECONDS * (1 - SLOW_LANE_SPREAD + 2 * SLOW_LANE_SPREAD * draw)
