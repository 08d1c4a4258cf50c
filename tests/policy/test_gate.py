"""Breaker, budget and pause of one authorization server."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from broker.policy import gate as gates

HOUR = 3600


def outage(seconds: float, *, tokens: int, remaining: float) -> int:
    """How many requests `tokens` tokens that all want to retry, always, send to a server that is away."""
    gate, now, sent = gates.Gate(), 1.0, 0
    while now < seconds:
        wait = seconds
        for _ in range(tokens):
            admission = gates.admit(gate, now, is_retry=True, remaining_seconds=remaining)
            gate = admission.gate
            if admission.wait_seconds == 0:
                sent += 1
                gate = gates.after(gate, "unreachable", now, is_retry=True)
            else:
                wait = min(wait, admission.wait_seconds)
        now += wait
    return sent


def test_outage_costs_a_probe_each_half_minute_however_many_tokens_wait() -> None:
    """R-056, R-057: 500 tokens in an hour of total outage send some 120 requests together."""
    sent = outage(HOUR, tokens=500, remaining=0)
    assert 100 <= sent <= 130


def test_probes_come_more_often_for_a_token_that_is_about_to_expire() -> None:
    """R-058: with twenty seconds left nobody waits for half a minute."""
    gate = gates.Gate(unreachable_in_a_row=9, last_outcome=100.0, filled=100.0)
    assert gates.admit(gate, 106.0, is_retry=True, remaining_seconds=20.0).wait_seconds == 0
    assert gates.admit(gate, 106.0, is_retry=True, remaining_seconds=9_000.0).wait_seconds == 24.0


def test_one_probe_at_a_time() -> None:
    """R-057: while a probe is under way everybody else waits."""
    gate = gates.Gate(unreachable_in_a_row=5, last_outcome=0.0, filled=1.0)
    probe = gates.admit(gate, 31.0, is_retry=True, remaining_seconds=0)
    assert probe.wait_seconds == 0
    assert gates.admit(probe.gate, 31.0, is_retry=True, remaining_seconds=0).wait_seconds > 0
    back = gates.after(probe.gate, "refused", 32.0, is_retry=True)
    assert gates.admit(back, 32.0, is_retry=False, remaining_seconds=0).wait_seconds == 0


def test_recovery_is_not_held_back_by_the_budget() -> None:
    """F-04: 200 tokens whose retries now succeed get through, since a success gives back what it took."""
    gate = gates.Gate(filled=1.0)
    for _ in range(200):
        admission = gates.admit(gate, 2.0, is_retry=True, remaining_seconds=0)
        assert admission.wait_seconds == 0
        gate = gates.after(admission.gate, "succeeded", 2.0, is_retry=True)


@given(st.lists(st.floats(0, 1000), min_size=1))
def test_longest_pause_counts(untils: list[float]) -> None:
    """R-055: a shorter pause never cuts a longer one."""
    gate = gates.Gate()
    for until in untils:
        gate = gates.paused(gate, until)
    assert gate.paused_until == max(untils)


@given(
    st.builds(
        gates.Gate,
        paused_until=st.floats(0, 1e6),
        unreachable_in_a_row=st.integers(0, 100),
        last_outcome=st.floats(0, 1e6),
        probing=st.booleans(),
        retries_left=st.floats(0, 10),
        filled=st.floats(0, 1e6),
    ),
    st.floats(1e6, 2e6),
    st.booleans(),
    st.floats(-10, 1e6),
)
def test_waits_are_finite_and_end(gate: gates.Gate, now: float, is_retry: bool, remaining: float) -> None:  # noqa: FBT001 - drawn
    """Nothing is dropped and nobody waits for ever: who asks again after the wait gets in, or waits for a probe."""
    admission = gates.admit(gate, now, is_retry=is_retry, remaining_seconds=remaining)
    assert 0 <= admission.wait_seconds <= max(gates.PROBE_SECONDS, 60.0)
    assert bool(admission.reason) == (admission.wait_seconds > 0)
