"""Delays after failures, as properties."""

from __future__ import annotations

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from broker.errors import ErrorClass
from broker.policy import retry

classes = st.sampled_from(get_args(ErrorClass))
draws = st.floats(0, 1, exclude_max=True)
retry_afters = st.none() | st.floats(-1e9, 1e9)


@given(classes, st.integers(1, 10_000), st.floats(-1e6, 1e6), retry_afters, draws)
def test_every_delay_lies_between_a_second_and_sixteen_minutes(
    error_class: ErrorClass, failures: int, remaining: float, retry_after: float | None, draw: float
) -> None:
    """R-053, R-054: no failure path loops without sleeping, and none sleeps for hours."""
    decision = retry.next_attempt(
        error_class,
        failures=failures,
        remaining_seconds=remaining,
        retry_after_seconds=retry_after,
        draw=draw,
    )
    assert 1.0 <= decision.delay_seconds <= 905.0
    assert decision.reason


@given(
    st.sampled_from(["transient", "protocol", "configuration"]), st.integers(1, 100), st.floats(1, 1e5), draws
)
def test_valid_token_bounds_the_wait_by_a_quarter_of_its_life(
    error_class: ErrorClass, failures: int, remaining: float, draw: float
) -> None:
    """The nearer the end, the more often it is tried."""
    decision = retry.next_attempt(
        error_class, failures=failures, remaining_seconds=remaining, retry_after_seconds=None, draw=draw
    )
    assert decision.delay_seconds <= max(1.0, remaining / 4)


@given(st.floats(0, 1e9), draws)
def test_server_is_never_asked_before_it_allowed(retry_after: float, draw: float) -> None:
    """R-058: urgency overrides comfort, not the server."""
    decision = retry.next_attempt(
        "throttled", failures=1, remaining_seconds=5.0, retry_after_seconds=retry_after, draw=draw
    )
    assert decision.delay_seconds >= min(max(retry_after, 1.0), 900.0)


def test_rejected_credential_is_left_alone_for_a_minute_doubling_to_fifteen() -> None:
    """R-050: 60, 120, 240, 480, 900, 900."""
    delays = [
        retry.next_attempt(
            "credential", failures=n, remaining_seconds=0, retry_after_seconds=None, draw=0.5
        ).delay_seconds
        for n in range(1, 7)
    ]
    assert delays == [60, 120, 240, 480, 900, 900]


def test_fast_lane_ends_after_eight_failures() -> None:
    """R-052: then five minutes, give or take a fifth."""
    slow = retry.next_attempt(
        "transient", failures=9, remaining_seconds=0, retry_after_seconds=None, draw=0.0
    )
    assert slow.delay_seconds == 240.0
    fast = retry.next_attempt(
        "transient", failures=8, remaining_seconds=0, retry_after_seconds=None, draw=0.999
    )
    assert fast.delay_seconds < 60.0


@given(st.floats(-1e6, 1e6))
def test_one_lost_answer_does_not_cost_a_token_its_life(remaining: float) -> None:
    """F-02: found with a server that hangs once: the wait for an answer ends with most of the life left."""
    patience = retry.patience_seconds(30.0, remaining_seconds=remaining)
    assert 5.0 <= patience <= 30.0
    if remaining > 20:
        assert patience <= remaining / 4


def test_work_that_a_bug_ended_begins_again_after_a_pause_that_doubles() -> None:
    """R-063: one second to a minute; what ran for longer than a minute begins anew with one."""
    pauses, pause = [], 0.0
    for _ in range(8):
        pause = retry.bug_delay(pause, ran_seconds=0.1)
        pauses.append(pause)
    assert [1, 2, 4, 8, 16, 32, 60, 60] == pauses
    assert 1 == retry.bug_delay(60.0, ran_seconds=60.1)
