"""Wait for a condition instead of sleeping for a guess.

Owns the only polling loops of the suite: a predicate is asked again until it answers something true or the
deadline passes. Knows nothing of what is waited for. A predicate says "not yet" by answering something false;
an exception it raises is a fault of the test and ends the wait, except those named in ``retry_on``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar, overload

T = TypeVar("T")

DEFAULT_TIMEOUT_SECONDS: Final = 60.0
"""Far more than anything needs: a machine that is busy, or stops for seconds, is no fault of what is tested."""
_FIRST_PAUSE_SECONDS: Final = 0.002
_LONGEST_PAUSE_SECONDS: Final = 0.1


def eventually(
    predicate: Callable[[], T],
    *,
    timeout: float = DEFAULT_TIMEOUT_SECONDS,
    what: str,
    retry_on: tuple[type[Exception], ...] = (),
) -> T:
    """Answer the first true value of ``predicate()``.

    Raises AssertionError naming ``what``, and the last answer or error, after ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    pause_seconds = _FIRST_PAUSE_SECONDS
    while True:
        last: object
        try:
            answer = predicate()
        except retry_on as error:
            last = error
        else:
            if answer:
                return answer
            last = answer
        if time.monotonic() >= deadline:
            raise AssertionError(_complaint(timeout, what, last))
        time.sleep(pause_seconds)  # noqa: TID251 - the one place that may: every other test polls through here
        pause_seconds = min(pause_seconds * 2, _LONGEST_PAUSE_SECONDS)


@overload
async def eventually_async(
    predicate: Callable[[], Awaitable[T]],
    *,
    timeout: float = DEFAULT_TIMEOUT_SECONDS,
    what: str,
    retry_on: tuple[type[Exception], ...] = (),
) -> T: ...
@overload
async def eventually_async(
    predicate: Callable[[], T],
    *,
    timeout: float = DEFAULT_TIMEOUT_SECONDS,
    what: str,
    retry_on: tuple[type[Exception], ...] = (),
) -> T: ...
async def eventually_async(
    predicate: Callable[[], T | Awaitable[T]],
    *,
    timeout: float = DEFAULT_TIMEOUT_SECONDS,
    what: str,
    retry_on: tuple[type[Exception], ...] = (),
) -> T:
    """Do the same on an event loop's clock (virtual under looptime); the predicate may be a coroutine."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + timeout
    pause_seconds = _FIRST_PAUSE_SECONDS
    while True:
        last: object
        try:
            outcome = predicate()
            answer = await outcome if isinstance(outcome, Awaitable) else outcome
        except retry_on as error:
            last = error
        else:
            if answer:
                return answer
            last = answer
        if clock() >= deadline:
            raise AssertionError(_complaint(timeout, what, last))
        await asyncio.sleep(pause_seconds)
        pause_seconds = min(pause_seconds * 2, _LONGEST_PAUSE_SECONDS)


def _complaint(timeout: float, what: str, last: object) -> str:
    return f"not within {timeout:g} s: {what} (last: {last!r:.300})"
