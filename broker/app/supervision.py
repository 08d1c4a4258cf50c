"""Keeps the root tasks running.

Owns: the guard around every task that is meant to run for ever. A bug in one task is told, and the task begins again
after a pause; no other task notices (R-063). Refuses to know: what the tasks do.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0

log = logging.getLogger(__name__)


async def supervise(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Run `work` for ever; an exception, or an end, is logged and followed by a fresh start."""
    loop = asyncio.get_running_loop()
    pause = FIRST_PAUSE_SECONDS
    while True:
        began = loop.time()
        try:
            await work()
            log.error("task ended", extra={"event": "task_ended", "task": name})
        except Exception:
            log.exception("task failed", extra={"event": "task_failed", "task": name})
        if loop.time() - began > LONGEST_PAUSE_SECONDS:
            pause = FIRST_PAUSE_SECONDS
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
