"""Reads of one secret backend that are wanted at the same moment, as few calls.

Owns: who waits for which path, and which paths leave together: all that become due in one turn of the event loop, as
hundreds of tokens do at a start. Refuses to know: backends, deadlines, what an outcome means.

Nobody waits for company: a path that is alone in its turn is read by itself, at once. Nobody gets less than a fresh
read: whoever shares one asked before it began.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from broker.errors import SecretBackendError
from broker.model import SecretDocument
from broker.ports import MOST_BATCHED

Outcome = SecretDocument | SecretBackendError
Waiting = dict[str, asyncio.Future[Outcome]]


class BatchedReads:
    """Neither `one` nor `many` raises; what `many` leaves out is read by `one`."""

    def __init__(
        self,
        *,
        one: Callable[[str], Awaitable[Outcome]],
        many: Callable[[tuple[str, ...]], Awaitable[Mapping[str, Outcome]]],
    ) -> None:
        self._one = one
        self._many = many
        self._waiting: Waiting = {}
        self._flights: set[asyncio.Task[None]] = set()

    async def read(self, path: str) -> Outcome:
        """What reading this path gives."""
        if path not in self._waiting:
            self._waiting[path] = asyncio.get_running_loop().create_future()
            if len(self._waiting) == 1:
                flight = asyncio.create_task(self._depart(), name="secret reads")
                self._flights.add(flight)
                flight.add_done_callback(self._flights.discard)
        return await asyncio.shield(self._waiting[path])  # others may want it when we are cancelled

    async def _depart(self) -> None:
        await asyncio.sleep(0)
        waiting, self._waiting = self._waiting, {}
        paths = list(waiting)
        try:
            await asyncio.gather(
                *(
                    self._fly({path: waiting[path] for path in paths[start : start + MOST_BATCHED]})
                    for start in range(0, len(paths), MOST_BATCHED)
                )
            )
        finally:
            for future in waiting.values():
                future.cancel()  # nothing happens to those that have their outcome

    async def _fly(self, waiting: Waiting) -> None:
        found = await self._many(tuple(waiting)) if len(waiting) > 1 else {}
        for path, outcome in found.items():
            waiting[path].set_result(outcome)
        await asyncio.gather(*(self._alone(path, waiting[path]) for path in waiting if path not in found))

    async def _alone(self, path: str, future: asyncio.Future[Outcome]) -> None:
        future.set_result(await self._one(path))
