"""Keeps the root tasks running.

Owns: the guard around every task that is meant to run for ever. A bug in one task is told, and the task begins again
after a pause; no other task notices (R-063). Refuses to know: what the tasks do.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from broker.policy import retry

log = logging.getLogger(__name__)


async def supervise(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Run `work` for ever; an exception, or an end, is logged and followed by a fresh start."""
    loop = asyncio.get_running_loop()
    pause = 0.0
    while True:
        began = loop.time()
        try:
            await work()
            log.error("task ended", extra={"event": "task_ended", "task": name})
        except Exception:
            log.exception("task failed", extra={"event": "task_failed", "task": name})
        pause = retry.bug_delay(pause, ran_seconds=loop.time() - began)
        await asyncio.sleep(pause)
