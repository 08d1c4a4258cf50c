"""The renewal point, as properties."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from broker.model import AccessToken, Moment, Revision, Secret
from broker.policy import renewal

lifetimes = st.integers(1, 31_536_000)
jitters = st.floats(-1, 1)
fractions = st.floats(0.1, 0.9)
ISSUED = Moment(1_700_000_000.0, 5_000.0)


def revision(expires_in: int, jitter: float = 0.0) -> Revision:
    """A revision minted at ISSUED."""
    token = AccessToken(value=Secret("S3CR3T-token"), expires_in=expires_in, issued=ISSUED)
    return Revision(number=1, token=token, jitter=jitter)


@given(lifetimes, jitters, fractions)
def test_plan_is_never_before_the_floor_and_never_past_the_end(
    expires_in: int, jitter: float, renew_at: float
) -> None:
    """R-042, R-064: at least ten seconds after the mint, and before the end of every token that lives that long."""
    plan = renewal.plan(revision(expires_in, jitter), renew_at=renew_at, now=ISSUED)
    after = plan.due.boot - ISSUED.boot
    assert after >= renewal.MINIMUM_INTERVAL_SECONDS - 1e-6
    usable = revision(expires_in).token.usable_seconds
    assert after <= max(usable, renewal.MINIMUM_INTERVAL_SECONDS) + 1e-6


@given(lifetimes.filter(lambda seconds: seconds >= 200), jitters)
def test_half_life_moves_by_a_tenth_of_the_lifetime_at_most(expires_in: int, jitter: float) -> None:
    """R-064: the renewal point counts from the whole expires_in."""
    after = renewal.plan(revision(expires_in, jitter), renew_at=0.5, now=ISSUED).due.boot - ISSUED.boot
    assert abs(after - 0.5 * expires_in) <= 0.1 * expires_in + 1e-6


@given(lifetimes, st.floats(0, 40_000_000))
def test_expired_is_due_now(expires_in: int, age: float) -> None:
    """A token past its end is due now, and not in the past either."""
    now = Moment(ISSUED.wall + age, ISSUED.boot + age)
    held = revision(expires_in)
    if held.token.remaining_seconds(now) <= 0:
        assert renewal.plan(held, renew_at=0.5, now=now).due == now


@given(lifetimes, st.integers(0, 3), st.floats(0, 40_000_000))
def test_state_follows_the_tokens_own_life(expires_in: int, failures: int, age: float) -> None:
    """R-072: failures make a valid token stale, never expired."""
    now = Moment(ISSUED.wall + age, ISSUED.boot + age)
    held = revision(expires_in)
    due = renewal.plan(held, renew_at=0.5, now=now).due
    state = renewal.state(held, due=due, failures=failures, now=now)
    if held.token.remaining_seconds(now) <= 0:
        assert state == "expired"
    else:
        assert state in ("fresh", "stale")
        assert (state == "stale") >= bool(failures)


def test_margin_is_five_seconds_or_a_tenth() -> None:
    """R-041: expires_at is short of the end by the smaller of five seconds and ten percent."""
    assert revision(43_200).token.expires_at == ISSUED.wall + 43_195
    assert revision(20).token.expires_at == ISSUED.wall + 18
