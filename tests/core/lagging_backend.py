"""A secret backend of many replicas, most of which answer with the version before the newest.

Owns: which answer is stale, by chance, and when news was first given away. Refuses to know: who asks.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from broker.model import SecretDocument
from broker.testing.memory_backend import MemorySecretBackend


class LaggingBackend(MemorySecretBackend):
    """Each answer is stale with probability `chance`, whether it is a value or a version."""

    def __init__(self, *, seed: int, chance: float, now: Callable[[], float]) -> None:
        super().__init__()
        self.chance = chance
        self.stored_at = 0.0
        self.given_away_at = float("inf")
        """When an answer was first not stale since the last `put`."""
        self.asked_at: list[float] = []
        self._now = now
        self._rng = random.Random(seed)
        self._former: dict[str, SecretDocument] = {}

    def put(self, path: str, fields: Mapping[str, str], *, whole: bytes | None = None) -> str:
        former = self._documents.get(path)
        if former is not None:
            self._former[path] = former
        self.stored_at, self.given_away_at = self._now(), float("inf")
        return super().put(path, fields, whole=whole)

    def _current(self, path: str) -> SecretDocument:
        self.asked_at.append(self._now())
        newest, former = super()._current(path), self._former.get(path)
        if former is not None and self._rng.random() < self.chance:
            return former
        if self.given_away_at == float("inf"):
            self.given_away_at = self._now()
        return newest
