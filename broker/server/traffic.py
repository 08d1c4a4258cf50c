"""What the socket served, added up: an event for each request would cost more than the answer.

Owns: counts between two flushes. Refuses to know: who listens.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace

from broker.events import SocketDenied, SocketServed
from broker.ports import Observer

CLIENT_GONE = 499
"""Counted as the code of connections whose peer vanished before it had read what it asked for (R-143)."""

_LATENCY_STEPS = (0.000_1, 0.001, 0.01, 0.1, 1.0, 10.0)
"""Requests are added up only with their like, so that a mean still says how long each took."""


class Traffic:
    """Counts requests and denials; `flush` tells the observer."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._served: dict[tuple[str, int, int], tuple[int, float]] = {}
        self._denied: dict[tuple[str | None, int], SocketDenied] = {}

    def served(self, route: str, code: int, *, seconds: float, count: int = 1) -> None:
        """Add `count` requests that took `seconds` together."""
        key = (route, code, bisect_left(_LATENCY_STEPS, seconds / count))
        before, spent = self._served.get(key, (0, 0.0))
        self._served[key] = (before + count, spent + seconds)

    def broken(self) -> None:
        """Add a peer that was gone before it had read what was sent."""
        self.served("other", CLIENT_GONE, seconds=0.0)

    def denied(self, refusal: SocketDenied) -> None:
        """Add one."""
        key = (refusal.token, refusal.uid)
        known = self._denied.get(key)
        self._denied[key] = refusal if known is None else replace(known, count=known.count + refusal.count)

    def flush(self) -> None:
        """Emit what was added since the last time."""
        served, self._served = self._served, {}
        for (route, code, _), (count, spent) in served.items():
            self._observer(SocketServed(route=route, code=code, duration_seconds=spent / count, count=count))
        denied, self._denied = self._denied, {}
        for refusal in denied.values():
            self._observer(refusal)

    @property
    def empty(self) -> bool:
        return not self._served and not self._denied
