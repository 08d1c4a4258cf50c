"""The whole broker over days of virtual time: each scenario alone, some by chance; `make simulate` plays more."""

from __future__ import annotations

import pytest

from tests.simulation.run import SCRIPTS, simulate


@pytest.mark.parametrize("script", sorted(SCRIPTS))
def test_scenario_alone(script: str) -> None:
    """No reader finds a token missing, torn or expired for a reason within our reach (C, I1 to I8)."""
    result = simulate(1, days=0.35, tokens=2, scripts=[script], lifetimes=(3600, 900))
    assert [] == list(map(str, result.violations))
    assert result.history.count("answer", outcome="token") >= 2
    assert result.history.reads > 500


@pytest.mark.parametrize("seed", range(1, 5))
def test_combination_by_chance(seed: int) -> None:
    """F-56: two to five scenarios at once, begun at random times."""
    result = simulate(seed, days=1.0, tokens=3)
    assert [] == list(map(str, result.violations))


@pytest.mark.parametrize(
    ("script", "seed"),
    [
        ("F-21", 5),  # the second secret was tried within 100 ms of the first
        ("F-21", 2),  # and again, where the metadata had to be read in between
        ("F-21b", 4),  # a lagging replica brought the rejected secret back
        ("F-21b", 5),  # a rejected secret kept out the one before it, which worked
    ],
)
def test_seeds_that_once_failed(script: str, seed: int) -> None:
    """What the simulation found, and was mended, stays mended."""
    result = simulate(seed, days=0.35, tokens=2, scripts=[script], lifetimes=(3600, 900))
    assert [] == list(map(str, result.violations))


@pytest.mark.parametrize(
    ("scripts", "seed"),
    [
        (
            "F-18,F-60",
            174,
        ),  # the same token again, rounded down by its server, ended sooner after a rotation
        (
            "F-11,R-012",
            185,
        ),  # a reload to another identity kept the old token, since the new one ended sooner
        (
            "F-12,F-48",
            10345,
        ),  # metadata went bad a minute after a restart, before that process had asked for any
        (
            "F-11,F-17,F-43",
            10370,
        ),  # a token kept for want of a longer one was late in its life when the machine was suspended until its end
        ("F-51,F-60", 10194),  # the same token again was expected of a process that had forgotten it
    ],
)
def test_long_seeds_that_once_failed(scripts: str, seed: int) -> None:
    """What three days of three tokens found, and was mended, stays mended."""
    result = simulate(seed, days=3.0, tokens=3, scripts=scripts.split(","))
    assert [] == list(map(str, result.violations))


@pytest.mark.parametrize("seed", [2, 3])
def test_seeds_of_many_tokens_that_once_failed(seed: int) -> None:
    """F-49: a backend that could not be built in time was waited for by each of its tokens in turn."""
    result = simulate(seed, days=0.35, tokens=6, scripts=["F-49b"], lifetimes=(3600, 900))
    assert [] == list(map(str, result.violations))


def test_seed_is_a_trace() -> None:
    """The same seed is the same history, so that a failing one can be replayed."""
    first, second = (simulate(7, days=0.2, tokens=2, scripts=["F-05", "F-16"]).history for _ in range(2))
    assert _without_ids(first.records) == _without_ids(second.records)
    assert first.reads == second.reads


def _without_ids(records: list[dict[str, object]]) -> list[dict[str, object]]:
    return [{key: value for key, value in record.items() if key != "id"} for record in records]
