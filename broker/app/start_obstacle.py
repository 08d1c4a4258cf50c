"""The managed token that a start waits for.

Owns: finding one, at next to no cost for each event of a start with ten thousand tokens. Refuses to know: what makes
one an obstacle, what is done about it, and for how long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from broker.app.unit import Unit


class StartObstacle:
    """Among the units that are running, one that `is_in_the_way`."""

    def __init__(
        self, units: Callable[[], Mapping[str, Unit]], is_in_the_way: Callable[[Unit], bool]
    ) -> None:
        self._units = units
        self._is_in_the_way = is_in_the_way
        self._known: Unit | None = None

    def gone(self) -> bool:
        """Whether nothing is in the way any more.

        What was is looked at first, and the others from the end, which is where a start arrives last.
        """
        units = self._units()
        known = self._known
        if known is None or units.get(known.token.name) is not known or not self._is_in_the_way(known):
            self._known = next(filter(self._is_in_the_way, reversed(list(units.values()))), None)
        return self._known is None
