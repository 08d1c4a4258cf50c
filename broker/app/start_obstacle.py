"""The required token that the start waits for.

Owns: finding one that is not published yet, at next to no cost for each event of a start with ten thousand tokens.
Refuses to know: what is done about it, and for how long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from broker.app.unit import Unit
from broker.policy.readiness import readiness


class StartObstacle:
    """Among the units that are running."""

    def __init__(self, units: Callable[[], Mapping[str, Unit]]) -> None:
        self._units = units
        self._known: Unit | None = None

    def gone(self) -> bool:
        """Whether every required token is usable and published.

        What was in the way is looked at first, and the others from the end, which is where a start arrives last.
        """
        units = self._units()
        known = self._known
        if known is None or units.get(known.token.name) is not known or not _is_obstacle(known):
            self._known = next(filter(_is_obstacle, reversed(list(units.values()))), None)
        return self._known is None


def _is_obstacle(unit: Unit) -> bool:
    return unit.table.required and not (unit.published and readiness((unit.token.record(),)).ready)
