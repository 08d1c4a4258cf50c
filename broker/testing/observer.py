"""An observer that remembers.

Owns: the events it was given, in order, from any thread. Refuses to know: what they mean.
"""

from __future__ import annotations

from typing import TypeVar

from broker.events import Event

E = TypeVar("E")


class RecordingObserver:
    """Implements `broker.ports.Observer`."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event, /) -> None:
        self.events.append(event)

    def of(self, kind: type[E]) -> list[E]:
        """The events of one class, oldest first."""
        return [event for event in self.events if isinstance(event, kind)]
