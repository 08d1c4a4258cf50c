"""Waits until the daemon is ready, driven by events.

Owns: an observer that wakes who waits when something that readiness depends on has happened. Refuses to know:
what ready means.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from broker.events import ConfigReloaded, Event, HookRan, Published, StateChanged


class ReadyWatch:
    """Implements `broker.ports.Observer`; the events it looks at are emitted on the event loop."""

    def __init__(self) -> None:
        self._moved = asyncio.Event()

    def __call__(self, event: Event, /) -> None:
        if isinstance(event, ConfigReloaded | HookRan | Published | StateChanged):
            self._moved.set()

    async def until(self, condition: Callable[[], bool], *, timeout_seconds: float | None) -> bool:
        """Whether the condition was met within that time."""
        try:
            async with asyncio.timeout(timeout_seconds):
                while not condition():
                    await self._moved.wait()
                    self._moved.clear()
        except TimeoutError:
            return condition()
        return True
