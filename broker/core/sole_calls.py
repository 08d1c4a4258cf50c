"""Calls into one plug-in's object, away from the event loop and never two at once.

Owns: the deadline of a call, that none begins while an abandoned one still runs, the turning of what a plug-in
raises into our errors. Refuses to know: what is called, and who tries again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from broker.errors import BrokerError
from broker.ports import BlockingRunner

T = TypeVar("T")


class SoleCalls:
    """Of one object, known to people as `name`; `error` is what its calls may raise, and the only thing they raise."""

    __slots__ = ("_advice", "_deadline_seconds", "_error", "_name", "_runner", "_running")

    def __init__(
        self,
        runner: BlockingRunner,
        *,
        name: str,
        error: type[BrokerError],
        advice: str,
        deadline_seconds: float,
    ) -> None:
        self._runner = runner
        self._name = name
        self._error = error
        self._advice = advice
        self._deadline_seconds = deadline_seconds
        self._running = False

    async def call(self, operation: Callable[[], T]) -> T:
        """What the operation returns. Raises `error` only."""
        if self._running:
            raise self._error(f"{self._name}: an earlier call still hangs: {self._advice}", code="hangs")

        def sole() -> T:
            self._running = True  # here, since a call that is given up on while it queues never begins
            try:
                return operation()
            finally:
                self._running = False

        try:
            return await self._runner.run(sole, deadline_seconds=self._deadline_seconds)
        except self._error:
            raise
        except TimeoutError:
            raise self._error(
                f"{self._name}: no answer within {self._deadline_seconds:.0f} s: {self._advice}",
                code="timeout",
            ) from None
        except Exception as error:  # noqa: BLE001 - a plug-in's bug must not take the token's task down (R-063)
            raise self._error(
                f"{self._name}: unexpected {type(error).__name__} in the plug-in", code="plugin_bug"
            ) from None
