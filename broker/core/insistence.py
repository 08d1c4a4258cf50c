"""Asking a secret backend again at once, where its answers contradict each other.

Owns: how often, how far apart and for how long. Refuses to know: what is asked, and which answers contradict.

Performance standbys and replicas answer with the past, each for itself: the next answer may come from another one. A
poll or an attempt therefore asks at most 16 times, half a second apart on the average, and for 10 s at the most.
"""

from __future__ import annotations

import random
from typing import Final

from broker.core.naps import Naps

MOST_QUESTIONS: Final = 16
LONGEST_SECONDS: Final = 10.0
SHORTEST_PAUSE_SECONDS: Final = 0.25
LONGEST_PAUSE_SECONDS: Final = 0.75


class Insistence:
    """Shared by all tokens; `begin` before the first question."""

    def __init__(self, naps: Naps, rng: random.Random) -> None:
        self.clock = naps.clock
        self.naps = naps
        self._rng = rng

    def begin(self) -> Questions:
        """A series of equal questions, the first of which is asked now."""
        return Questions(self)

    def draw_pause_seconds(self) -> float:
        """Before the next question."""
        return self._rng.uniform(SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)


class Questions:
    """One series."""

    __slots__ = ("_began", "_insistence", "_left")

    def __init__(self, insistence: Insistence) -> None:
        self._insistence = insistence
        self._began = insistence.clock.now().boot
        self._left = MOST_QUESTIONS - 1

    async def once_more(self) -> bool:
        """Pause before another question; False, at once, if there were enough."""
        now = self._insistence.clock.now().boot
        due = now + self._insistence.draw_pause_seconds()
        if not self._left or due > self._began + LONGEST_SECONDS:
            return False
        self._left -= 1
        await self._insistence.naps.until(due)
        return True
