"""Run a coroutine on an event loop whose time is virtual: twelve hours take a millisecond."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import looptime

T = TypeVar("T")


def run_virtually(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The result of `main()`; what it started is cancelled when it returns."""
    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        return runner.run(main())
