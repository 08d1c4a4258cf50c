"""What the development authorization server was asked.

Owns: one entry per request, with the time on two clocks and the status answered. Refuses to know: what a
request meant. Headers and form hold credentials, so no repr shows them.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

LONGEST: Final = 10_000
"""Entries kept: `dev` may run for weeks."""


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One request; `status` stays None until an answer was begun. Equal `peer_port`: the same connection."""

    endpoint: str
    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    form: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    peer_port: int = 0
    at: float = field(default_factory=time.time)
    monotonic_seconds: float = field(default_factory=time.monotonic)
    status: int | None = None


class Ledger:
    """Thread-safe; entries in order of arrival."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._exchanges: deque[Exchange] = deque(maxlen=LONGEST)

    def add(self, exchange: Exchange) -> None:
        """Note a request at its arrival, before any answer."""
        with self._lock:
            self._exchanges.append(exchange)

    def entries(self, where: str | None = None) -> tuple[Exchange, ...]:
        """All of them, or those of one endpoint (`token`, `metadata`, `introspect`, `other`) or one path."""
        with self._lock:
            exchanges = tuple(self._exchanges)
        return tuple(entry for entry in exchanges if where is None or where in {entry.endpoint, entry.path})

    def count(self, where: str | None = None) -> int:
        """How many there are."""
        return len(self.entries(where))

    def clear(self) -> None:
        """Forget them."""
        with self._lock:
            self._exchanges.clear()
