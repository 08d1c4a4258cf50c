"""The whole broker over days of virtual time: every scenario alone, some by chance; `make simulate` plays more."""

from __future__ import annotations

import pytest

from tests.simulation.run import simulate
from tests.simulation.scripts import SCRIPTS


@pytest.mark.parametrize("script", sorted(SCRIPTS))
def test_scenario_alone(script: str) -> None:
    """F-01 to F-60: no reader finds a token missing, torn or expired for a reason within our reach."""
    result = simulate(1, days=0.6 if script not in ("F-11", "F-12") else 2.2, tokens=2, script=script)
    assert [] == list(map(str, result.violations))
    assert len(result.history.minted) >= 2


@pytest.mark.parametrize("seed", range(1, 4))
def test_combination_by_chance(seed: int) -> None:
    """F-56: two to four scenarios at once, begun at random times."""
    result = simulate(seed, days=1.5, tokens=3)
    assert [] == list(map(str, result.violations))


@pytest.mark.parametrize("seed", [1000])
def test_seeds_that_once_failed(seed: int) -> None:
    """1000: a wait of the gate that rounding made invisible to the clock became a loop without sleep."""
    result = simulate(seed, days=2, tokens=3)
    assert [] == list(map(str, result.violations))


def test_seed_is_a_trace() -> None:
    """The same seed is the same history, so that a failing one can be replayed."""
    first, second = (simulate(7, days=0.5, tokens=2, script="F-05").history for _ in range(2))
    assert first.asked == second.asked
    assert first.reads == second.reads
