"""The checker can fail: five deliberate bugs are put into the broker, and each is found by playing a scenario."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable

import pytest

from broker.core.managed_token import ManagedToken
from broker.events import Event, MintFailed
from broker.model import Moment, Revision
from broker.policy import renewal, retry
from tests.simulation.process import Process
from tests.simulation.run import simulate
from tests.simulation.world import World

# Two bugs come in through the seams of the simulation: an observer, a clock. The other three sit inside of pure
# decisions, and are planted by setting an attribute: a broker that could be given wrong ones would be worse for it.

LATE_SECONDS = 600.0
WITH_CACHE = 7
"""A seed whose world has a token cache; half of them do."""


def broken(
    script: str,
    make_process: Callable[[World], Process] = Process,
    *,
    seed: int = 3,
    lifetime: int = 900,
    days: float = 0.4,
) -> set[str]:
    """The promises that this scenario finds broken."""
    result = simulate(
        seed, days=days, tokens=2, scripts=[script], lifetimes=(lifetime,), make_process=make_process
    )
    return {violation.invariant for violation in result.violations}


def test_renewing_too_late_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bug 1: a token is renewed when nine tenths of its life are over."""

    def late(
        revision: Revision | None, *, renew_at: float, now: Moment, not_before_boot: float = 0.0
    ) -> renewal.RenewalPlan:
        return right(revision, renew_at=0.9, now=now, not_before_boot=not_before_boot)

    right = renewal.plan
    monkeypatch.setattr(renewal, "plan", late)
    assert {"I6", "R-064"} <= broken("F-59")


def test_deleting_on_failure_is_found() -> None:
    """Bug 2: a failed renewal takes the published token away."""

    class Deleting:
        def __init__(self, world: World) -> None:
            self._tokens = world.directory / "run"

        def __call__(self, event: Event, /) -> None:
            if isinstance(event, MintFailed):
                (self._tokens / event.token).unlink(missing_ok=True)

    assert "I2" in broken("F-06", lambda world: Process(world, observer=Deleting(world)))


def test_jitter_drawn_at_each_look_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bug 3: the renewal point moves whenever somebody looks at it, and so leans to its latest."""

    def redrawn(self: ManagedToken, now: Moment) -> renewal.RenewalPlan:
        revision = self.life.revision
        if revision is not None:
            revision = dataclasses.replace(revision, jitter=chance.uniform(-1, 1))
        return renewal.plan(revision, renew_at=self.life.renew_at, now=now)

    chance = random.Random(1)
    monkeypatch.setattr(ManagedToken, "renewal_plan", redrawn)
    assert "R-064" in broken("F-42b", lifetime=3600, days=1.2)


def test_hot_loop_on_error_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bug 4: the back-off is computed and thrown away."""

    def hot(error_class: str, **circumstances: object) -> retry.RetryDecision:
        return retry.RetryDecision(0.0, "at once")

    monkeypatch.setattr(retry, "next_attempt", hot)
    assert "I4" in broken("F-04")


def test_serving_expired_is_found() -> None:
    """Bug 5: the socket's clock is ten minutes late, and so a token is served beyond its end."""

    class Late:
        def __init__(self, world: World) -> None:
            self._time = world.time

        def now(self) -> Moment:
            now = self._time.now()
            return Moment(now.wall - LATE_SECONDS, now.boot - LATE_SECONDS)

    assert "I1" in broken("F-02", lambda world: Process(world, serving_clock=Late(world)))


def test_forgetting_at_a_restart_is_found() -> None:
    """And one more: the cache is not what it should be when the next process looks into it (F-50)."""

    def forgetful(world: World) -> Process:
        for file in (world.directory / "state" / "cache").glob("*.jwe"):
            file.unlink()
        return Process(world)

    assert "I2" in broken("F-50", forgetful, seed=WITH_CACHE, lifetime=14_400)
    assert set() == broken("F-50", seed=WITH_CACHE, lifetime=14_400)


@pytest.mark.parametrize("script", ["F-02", "F-04", "F-06", "F-42b", "F-59"])
def test_without_a_bug_nothing_is_found(script: str) -> None:
    """The control: the same scenarios, with the broker as it is."""
    assert set() == broken(script)
