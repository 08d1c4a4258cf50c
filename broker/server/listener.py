"""A listening socket and the connections it brought.

Owns: the accept loop, the descriptors that clients may have, the periodic sweep, the orderly end. Refuses to know:
HTTP, peers. Accepts by itself because uvloop closes a server for good, and silently, at the first accept that fails
for want of descriptors (R-137).
"""

from __future__ import annotations

import asyncio
import errno
import math
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from broker.server.connection import Connection
from broker.server.descriptors import RESERVED, client_limit

BACKLOG = 4096
"""Connections the kernel keeps for us; it takes the lesser of this and net.core.somaxconn, as for systemd's sockets.
Far more than a user has who comes with a thousand: where the queue is full, everybody else is refused too."""

WARNING_SECONDS = 60.0
"""No more than one warning about exhaustion in this time."""

_SHORT_TURN_SECONDS = 0.002
_ACCEPTS_AFTER_A_LONG_TURN = 64  # they take about a millisecond

_OUT_OF_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

Admit = Callable[[socket.socket, Any], None]
"""What to do with an accepted socket and its address: close it, or have the listener hold or open something."""


class Held(Protocol):
    """What an accepted socket became. Each calls `Listener.lost` at its end."""

    descriptor: int

    def sweep(self, now: float) -> None:
        """End if the peer has used up our patience."""
        ...

    def finish(self) -> None:
        """Answer what is under way, or the first request of who has just come, and then end."""
        ...

    def abort(self) -> None:
        """End now."""
        ...


class Listener:
    """Runs one listening socket.

    `admit` may refuse; `turn_away` says so to whom there is no descriptor for, and closes; `warn` gets a line about
    exhaustion; `tick` is called with every sweep, and there is one after each connection.
    """

    def __init__(
        self,
        listening: socket.socket,
        *,
        admit: Admit,
        turn_away: Callable[[socket.socket], None],
        tick: Callable[[], None],
        warn: Callable[[str], None],
        sweep_seconds: float = 0.5,
        retry_seconds: float = 0.2,
    ) -> None:
        self.connections: set[Held] = set()
        self._listening = listening
        self._admit = admit
        self._turn_away = turn_away
        self._tick = tick
        self._warn = warn
        self._sweep_seconds = sweep_seconds
        self._retry_seconds = retry_seconds
        self._loop = asyncio.get_running_loop()
        self._drained = asyncio.Event()
        self._opening: set[asyncio.Task[None]] = set()
        self._sweeping: asyncio.TimerHandle | None = None
        self._retrying: asyncio.TimerHandle | None = None
        self._warned = -math.inf
        self._accepted_at = -math.inf
        self._stopped = False
        listening.settimeout(0)
        self._loop.add_reader(listening.fileno(), self._accept)

    def listen_to(self, listening: socket.socket) -> None:
        """Take connections from another socket from now on; those that came by the old one stay."""
        self._loop.remove_reader(self._listening.fileno())
        self._listening = listening
        listening.settimeout(0)
        self._loop.add_reader(listening.fileno(), self._accept)

    def stop_accepting(self) -> None:
        """Take no more connections; idempotent. The socket stays open: it may belong to systemd."""
        if self._stopped:
            return
        self._stopped = True
        if self._retrying is not None:
            self._retrying.cancel()
        self._loop.remove_reader(self._listening.fileno())

    async def stop(self, *, grace_seconds: float) -> None:
        """Let who was accepted ask, and read the answer, for so long; then abort (R-149)."""
        self.stop_accepting()
        # Over in a turn of the loop, in which what was sent is read too.
        await asyncio.gather(*self._opening, return_exceptions=True)
        for connection in tuple(self.connections):
            connection.finish()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_seconds):
                await self._drain()
        await asyncio.gather(*self._opening, return_exceptions=True)
        for connection in tuple(self.connections):
            connection.abort()
        await self._drain()
        if self._sweeping is not None:
            self._sweeping.cancel()

    def wake(self) -> None:
        """Have the sweep run while there is anything to sweep; costs nothing when it already does."""
        if self._sweeping is None:
            self._sweeping = self._loop.call_later(self._sweep_seconds, self._sweep)

    def hold(self, held: Held) -> None:
        """Sweep this and end it with the others."""
        self.connections.add(held)

    def open(self, connection: Connection, accepted: socket.socket) -> None:
        """Hold a connection, and give it its transport."""
        connection.descriptor = accepted.fileno()
        self.connections.add(connection)
        task = self._loop.create_task(self._open(connection, accepted))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    def replace(self, held: Held, connection: Connection, accepted: socket.socket) -> None:
        """Hold and open `connection` instead, on the same socket."""
        self.open(connection, accepted)
        self.connections.discard(held)

    def lost(self, connection: Held) -> None:
        """Called by what ended."""
        self.connections.discard(connection)
        if not self.connections:
            self._drained.set()

    async def _drain(self) -> None:
        if self.connections:
            self._drained.clear()
            await self._drained.wait()

    def _sweep(self) -> None:
        self._sweeping = None
        now, limit = self._loop.time(), client_limit()
        for connection in tuple(self.connections):
            if connection.descriptor < limit:
                connection.sweep(now)
            else:
                connection.abort()  # the limit was lowered: these are needed for mints and files
        self._tick()
        if self.connections:
            self.wake()

    def _accept(self) -> None:
        """One a turn while turns are short: to find out that there are no more costs as much as half a connection.

        After a long turn a crowd may be waiting, and behind it somebody who is not part of it.
        """
        now = self._loop.time()
        long_ago, self._accepted_at = now - self._accepted_at > _SHORT_TURN_SECONDS, now
        for _ in range(_ACCEPTS_AFTER_A_LONG_TURN if long_ago else 1):
            if not self._accept_one():
                break

    def _accept_one(self) -> bool:
        """Whether there may be more."""
        try:
            accepted, address = self._listening.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return False
        except OSError as error:
            if error.errno not in _OUT_OF_RESOURCES:
                raise
            self._pause(error)
            return False
        accepted.settimeout(0)
        if accepted.fileno() < client_limit():
            self._take(accepted, address)
        else:
            self._turn_away(accepted)
            self._warn_of(
                f"connections are turned away: {RESERVED} descriptors are left, for mints and files"
            )
        return True

    def _take(self, accepted: socket.socket, address: Any) -> None:
        try:
            self._admit(accepted, address)
        except OSError:  # gone already
            accepted.close()
            return
        self.wake()

    async def _open(self, connection: Connection, accepted: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: connection, accepted)
        except BaseException as error:
            accepted.close()
            if not connection.made:
                connection.connection_lost(None)
            if not isinstance(error, OSError):
                raise

    def _pause(self, error: OSError) -> None:
        """Leave clients in the kernel's queue for a moment, instead of failing again at once, for ever."""
        self._warn_of(f"cannot accept connections: {error.strerror}")
        self._loop.remove_reader(self._listening.fileno())
        self._retrying = self._loop.call_later(self._retry_seconds, self._resume)

    def _warn_of(self, trouble: str) -> None:
        now = self._loop.time()
        if now - self._warned >= WARNING_SECONDS:
            self._warned = now
            self._warn(f"{trouble}; raise LimitNOFILE= or find the leak")

    def _resume(self) -> None:
        if not self._stopped:
            self._loop.add_reader(self._listening.fileno(), self._accept)
