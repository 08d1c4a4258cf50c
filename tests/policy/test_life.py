"""The life of a managed token under any order of events (R-182): the invariants that no history may break."""

from __future__ import annotations

from typing import get_args

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from broker.errors import Condition, ErrorClass
from broker.model import AccessToken, Moment, Secret
from broker.policy import life as lives
from broker.policy import retry

draws = st.floats(0, 1, exclude_max=True)


class AnyHistory(RuleBasedStateMachine):
    """One renewer as the core drives it: attempts in one flight at a time, anything else at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = Moment(1_700_000_000.0, 10.0)
        self.life = lives.Life(renew_at=0.5, min_lifetime_seconds=60.0)
        self.minted = 0
        self.back_off_until = 0.0

    def happen(self, event: lives.Event) -> tuple[lives.Effect, ...]:
        """Let it happen, and check what must hold between any two moments."""
        before = self.life
        step = lives.step(before, event, self.now)
        self.life = step.life
        if before.revision is not None:
            self.check_revision_after(before, event)
        return step.effects

    def check_revision_after(self, before: lives.Life, event: lives.Event) -> None:
        """I2, I5: a valid token leaves only for one that lives longer, or that another client or secret bought."""
        assert before.revision is not None
        assert self.life.revision is not None
        old, new = before.revision.token, self.life.revision.token
        if new is not old and old.remaining_seconds(self.now) > 0:
            assert isinstance(event, lives.Minted)
            longer = new.remaining_seconds(self.now) >= old.remaining_seconds(self.now)
            assert longer or new.secret_version != old.secret_version or before.outdated
        assert self.life.revision.number >= before.revision.number

    @rule(seconds=st.floats(0, 100_000))
    def time_passes(self, seconds: float) -> None:
        self.now = Moment(self.now.wall + seconds, self.now.boot + seconds)

    @rule(seconds=st.floats(-3e8, 3e8))
    def wall_clock_steps(self, seconds: float) -> None:
        before = self.life.state(self.now)
        self.now = Moment(self.now.wall + seconds, self.now.boot)
        assert self.life.state(self.now) == before

    @precondition(lambda self: self.life.phase == "resting")
    @rule()
    def attempt_begins(self) -> None:
        assert not self.happen(lives.AttemptBegan())

    @precondition(lambda self: self.life.phase == "attempting")
    @rule(
        expires_in=st.integers(1, 100_000),
        same=st.booleans(),
        version=st.sampled_from(["1", "2"]),
        jitter=st.floats(-1, 1),
    )
    def attempt_succeeds(self, *, expires_in: int, same: bool, version: str, jitter: float) -> None:
        self.minted += 0 if same and self.minted else 1
        token = AccessToken(
            value=Secret(f"S3CR3T-{self.minted}"),
            expires_in=expires_in,
            issued=self.now,
            secret_version=version,
        )
        assert not self.happen(lives.Minted(token=token, jitter=jitter))
        assert self.life.failures == 0
        assert self.life.phase == "resting"
        assert self.life.plan(self.now).due.boot > self.now.boot

    @precondition(lambda self: self.life.phase == "attempting")
    @rule(
        error_class=st.sampled_from(get_args(ErrorClass)),
        condition=st.sampled_from(get_args(Condition)),
        retry_after=st.none() | st.floats(-1e9, 1e9),
        draw=draws,
    )
    def attempt_fails(
        self, *, error_class: ErrorClass, condition: Condition, retry_after: float | None, draw: float
    ) -> None:
        failure = lives.Failure(
            error_class=error_class,
            condition=condition,
            message="a reason",
            retry_after_seconds=retry_after,
        )
        effects = self.happen(lives.AttemptFailed(failure=failure, draw=draw))
        (back_off,) = [effect for effect in effects if isinstance(effect, lives.BackOff)]
        assert back_off.seconds >= retry.FLOOR_SECONDS
        pauses = [effect for effect in effects if isinstance(effect, lives.PauseServer)]
        assert bool(pauses) == (error_class == "throttled")
        assert self.life.condition == condition
        assert self.life.reason == "a reason"

    @precondition(lambda self: self.life.phase == "backing_off")
    @rule()
    def back_off_ends(self) -> None:
        self.happen(lives.BackOffEnded())
        self.happen(lives.AttemptBegan())

    @rule()
    def somebody_wants_a_renewal(self) -> None:
        """I3: a flight is the answer to everybody who asks meanwhile."""
        effects = self.happen(lives.RenewalWanted())
        assert bool(effects) == (self.life.phase == "resting")

    @rule(version=st.sampled_from(["1", "2", None]))
    def secret_changes(self, version: str | None) -> None:
        effects = self.happen(lives.SecretChanged(version))
        assert bool(effects) == (self.life.phase != "attempting")

    @rule(version=st.sampled_from(["1", "2", None]))
    def secret_is_seen(self, version: str | None) -> None:
        assert not self.happen(lives.SecretSeen(version))

    @rule(condition=st.sampled_from(get_args(Condition)))
    def secret_cannot_be_read(self, condition: Condition) -> None:
        failure = lives.Failure(error_class="configuration", condition=condition, message="another reason")
        assert not self.happen(lives.SecretUnreadable(failure))

    @invariant()
    def states_are_honest(self) -> None:
        state = self.life.state(self.now)
        if self.life.revision is None:
            assert state == "absent"
        elif self.life.revision.token.remaining_seconds(self.now) <= 0:
            assert state == "expired"
        else:
            assert state in ("fresh", "stale")
        assert self.life.reason

    @invariant()
    def plans_are_never_in_the_past(self) -> None:
        """A token that is absent or expired is due now; any other plan counts from its mint."""
        due = self.life.plan(self.now).due
        if self.life.state(self.now) in ("absent", "expired"):
            assert due == self.now


def test_server_that_fails_in_ever_new_ways_ends_in_the_slow_lane() -> None:
    """R-052: found by the simulation: alternating classes of errors kept a token in the fast lane for ever."""
    now = Moment(1_700_000_000.0, 10.0)
    life = lives.Life(renew_at=0.5, min_lifetime_seconds=60.0)
    classes: tuple[ErrorClass, ...] = ("transient", "protocol")
    delays = []
    for number in range(12):
        failure = lives.Failure(error_class=classes[number % 2], condition="unreachable", message="a reason")
        step = lives.step(life, lives.AttemptFailed(failure=failure, draw=0.5), now)
        life = step.life
        delays += [effect.seconds for effect in step.effects if isinstance(effect, lives.BackOff)]
    assert max(delays[:8]) < 60
    assert delays[8:] == [300.0] * 4


def test_rotated_secret_buys_a_token_that_ends_sooner_also_where_the_backend_has_no_versions() -> None:
    """R-073, R-082: what was found in the backend is another client; its token replaces the longer-lived one."""
    now = Moment(1_700_000_000.0, 10.0)
    life = lives.Life(renew_at=0.5, min_lifetime_seconds=60.0)
    life = lives.step(life, lives.Minted(token=token("long", 43_200, now), jitter=0.0), now).life
    kept = lives.step(life, lives.Minted(token=token("short", 600, now), jitter=0.0), now).life
    life = lives.step(life, lives.SecretChanged(None), now).life
    taken = lives.step(life, lives.Minted(token=token("short", 600, now), jitter=0.0), now).life
    assert kept.revision is not None
    assert taken.revision is not None
    assert ("long", 1) == (kept.revision.token.value.reveal(), kept.revision.number)
    assert ("short", 2) == (taken.revision.token.value.reveal(), taken.revision.number)
    assert not taken.outdated


def test_same_token_again_never_ends_sooner() -> None:
    """R-043, F-60: found by the simulation: a rotation made a server's rounded-down repetition shorten the token."""
    now = Moment(1_700_000_000.0, 10.0)
    later = Moment(now.wall + 100.4, now.boot + 100.4)
    life = lives.Life(renew_at=0.5, min_lifetime_seconds=60.0)
    first = lives.step(life, lives.Minted(token=token("same", 1000, now), jitter=0.0), now).life
    rotated = lives.step(first, lives.SecretChanged("2"), later).life
    again = lives.step(
        rotated, lives.Minted(token=token("same", 899, later, version="2"), jitter=0.0), later
    ).life
    assert first.revision == again.revision
    assert "2" == again.secret_version


def token(value: str, expires_in: int, now: Moment, *, version: str | None = None) -> AccessToken:
    """Minted now, with the secret of this version."""
    return AccessToken(value=Secret(value), expires_in=expires_in, issued=now, secret_version=version)


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
