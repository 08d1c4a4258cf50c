"""The one place that tries again, and the only importer of tenacity.

Owns: the loop "attempt, decide, sleep". Refuses to know: which errors there are and how long to wait (`policy.retry`
decides), and time (the caller sleeps, because only it knows what may wake it).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from broker.errors import BrokerError

T = TypeVar("T")


async def until_success(
    attempt: Callable[[], Awaitable[T]],
    *,
    decide: Callable[[BrokerError], float],
    sleep: Callable[[float], Awaitable[None]],
) -> T:
    """Attempt until it succeeds; after each BrokerError `decide` gives the seconds to `sleep`.

    Anything else that the attempt raises, cancellation included, ends the loop: tenacity records BaseException as an
    outcome, and only a positive predicate over our own errors keeps a cancelled attempt from running again. There is no
    limit: giving up would only mean that somebody else has to start over.
    """
    try:
        return await attempt()
    except BrokerError as error:
        delay = decide(error)
    await sleep(delay)
    return await _again(attempt, decide, sleep)


async def _again(
    attempt: Callable[[], Awaitable[T]],
    decide: Callable[[BrokerError], float],
    sleep: Callable[[float], Awaitable[None]],
) -> T:
    """The first attempt is made without tenacity: nearly all succeed, and its objects are kilobytes of cycles."""
    from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_never

    def wait(state: RetryCallState) -> float:
        outcome = state.outcome
        error = outcome.exception() if outcome is not None else None
        if not isinstance(error, BrokerError):
            raise TypeError("tenacity asked to wait after something that is not a BrokerError")
        return decide(error)

    retrying = AsyncRetrying(
        retry=retry_if_exception_type(BrokerError), wait=wait, stop=stop_never, sleep=sleep, reraise=True
    )
    return await retrying(attempt)
