"""The checker can fail: five deliberate bugs, each put into the broker in one place, are each found."""

from __future__ import annotations

import dataclasses
import random
from dataclasses import replace

import pytest

from broker.core.managed_token import ManagedToken
from broker.core.renewer import Renewer
from broker.model import AccessToken, Moment, Revision
from broker.policy import life, renewal
from broker.policy import retry as retries
from broker.policy.renewal import RenewalPlan
from tests.simulation.run import Result, simulate
from tests.simulation.world import World

# The bugs are planted by setting attributes: what is proven is the checker, and a broker with a way to be given a wrong
# renewal rule would be worse for it.


def short_lives(world: World) -> None:
    """Every fault meets a renewal."""
    for client in world.clients.values():
        client.lifetime = 1800


def broken(script: str, *, days: float = 0.6) -> set[str]:
    """The invariants that this scenario violates now."""
    result: Result = simulate(3, days=days, tokens=2, script=script, prepare=short_lives)
    return {violation.invariant for violation in result.violations}


def test_renewing_too_late_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bug 1: the renewal point lies behind the end of the token."""

    def late(
        revision: Revision | None, *, renew_at: float, now: Moment, not_before_boot: float = 0.0
    ) -> RenewalPlan:
        plan = right(revision, renew_at=renew_at, now=now, not_before_boot=not_before_boot)
        if revision is None:
            return plan
        after = revision.token.expires_in * 1.3
        return RenewalPlan(
            Moment(revision.token.issued.wall + after, revision.token.issued.boot + after), "late"
        )

    right = renewal.plan
    monkeypatch.setattr(renewal, "plan", late)
    assert "I6" in broken("F-20")


def test_deleting_on_failure_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bug 2: a failed renewal takes the valid token away."""

    def deleting(self: ManagedToken, event: life.Event) -> tuple[life.Effect, ...]:
        effects = right(self, event)
        if isinstance(event, life.AttemptFailed):
            self.life = replace(self.life, revision=None)
        return effects

    right = ManagedToken.apply
    monkeypatch.setattr(ManagedToken, "apply", deleting)
    assert "I2" in broken("F-06")


def test_jitter_drawn_at_each_look_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bug 3: the renewal point moves whenever somebody looks at it."""

    def redrawn(self: ManagedToken, now: Moment) -> RenewalPlan:
        revision = self.life.revision
        if revision is not None:
            revision = dataclasses.replace(revision, jitter=chance.uniform(-1, 1))
        return renewal.plan(revision, renew_at=0.5, now=now)

    chance = random.Random(1)
    monkeypatch.setattr(ManagedToken, "renewal_plan", redrawn)
    assert "R-064" in broken("F-42")


def test_hot_loop_on_error_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bug 4: the back-off is computed and thrown away."""

    async def hot(self: Renewer, seconds: float) -> None:
        self.happened(life.BackOffEnded())

    monkeypatch.setattr(Renewer, "_back_off", hot)
    assert {"I4", "I8"} & broken("F-04")


def test_serving_expired_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bug 5: a token is served beyond its end while it cannot be renewed."""

    def for_ever(self: AccessToken, now: Moment) -> float:
        return max(right(self, now), 60.0)

    right = AccessToken.remaining_seconds
    monkeypatch.setattr(AccessToken, "remaining_seconds", for_ever)
    assert "I1" in broken("F-02")


def test_backoff_is_what_keeps_the_server_quiet() -> None:
    """The control: without a bug the same scenarios violate nothing."""
    assert retries.FLOOR_SECONDS == 1.0
    assert set().union(*(broken(script) for script in ("F-04", "F-06", "F-20", "F-42"))) == set()
