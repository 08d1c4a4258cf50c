"""The service manager's watchdog (sd_watchdog_enabled(3)): fed while the event loop keeps up.

Owns: whether a beat of the loop is a sign of life. Refuses to know: datagrams, how the beat is measured.
"""

from __future__ import annotations

from broker.core.heartbeat import BEAT_SECONDS
from broker.events import Event, HeartBeat
from broker.infra.systemd import Notifier

LATEST_SECONDS = 5.0
"""A loop that is later than this serves nobody: it is not told to be alive (R-070)."""


class Watchdog:
    """Implements `broker.ports.Observer`; `seconds` is how often a sign of life is wanted, None for never."""

    def __init__(self, notifier: Notifier, seconds: float | None) -> None:
        self._notifier = notifier
        self._wanted = seconds is not None
        self.beat_seconds = BEAT_SECONDS if seconds is None else min(BEAT_SECONDS, seconds / 2)

    def __call__(self, event: Event, /) -> None:
        if self._wanted and isinstance(event, HeartBeat) and event.late_seconds <= LATEST_SECONDS:
            self._notifier.watchdog()
