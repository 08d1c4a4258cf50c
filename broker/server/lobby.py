"""Guests: connections that have asked nothing yet, or only what needs no thinking.

Owns: their sockets, one poll for all of them, reading a request and sending its answer at once. Refuses to know:
HTTP, routes, rights: a function answers. Whoever it cannot answer, or who stays, moves on with what was read to a
connection with a transport of the event loop. That costs more than the answer, and most programs connect, ask and go.
"""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Callable
from typing import Protocol

from broker.server.connection import Connection
from broker.server.peer import Peer
from broker.server.quick import QuickAnswer

_READ_BYTES = 65_536  # all that is there at once: what is left unread makes our hanging up a reset
_ANSWERS_TO_A_GUEST = 32  # each is a microsecond slower than with a transport, which costs some thirty
_GUESTS_PER_TURN = 64
"""Then everything else gets its turn: they take a third of a millisecond."""


class MoveOn(Protocol):
    """Makes a connection of a guest, which first sends and hears these bytes."""

    def __call__(self, guest: Guest, *, received: bytes, unsent: bytes) -> Connection: ...


class Guest:
    """One of them. The listener sweeps, finishes and aborts it as it does a connection."""

    __slots__ = (
        "_active",
        "_answers",
        "_lobby",
        "_since",
        "accepted",
        "descriptor",
        "granted",
        "peer",
        "polled",
    )

    def __init__(self, lobby: Lobby, accepted: socket.socket, peer: Peer, *, since: float) -> None:
        self.accepted = accepted
        self.descriptor = accepted.fileno()
        self.peer = peer
        self.granted: QuickAnswer | None = None
        """What the rules in force let it have, as it was found when it last asked."""
        self.polled = False
        self._lobby = lobby
        self._since = since
        self._active = False
        self._answers = 0

    def hear(self) -> None:
        """Read and answer, if there is anything."""
        try:
            data = self.accepted.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self._break()
            return
        if not data:
            self.abort()
            return
        answer = self._lobby.find(data)
        regular = self._answers == _ANSWERS_TO_A_GUEST
        if answer is None or regular or not (answer is self.granted or self._may_have(answer)):
            self._lobby.move_on(self, received=data)
            return
        self._active = True
        try:
            sent = self.accepted.send(answer.content)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._break()
            return
        answer.served += 1
        self._answers += 1
        if sent < len(answer.content):
            self._lobby.move_on(self, unsent=answer.content[sent:])

    def sweep(self, now: float) -> None:
        """Hang up if nothing was asked for too long."""
        if self._active:
            self._active = False
            self._since = now
        elif now - self._since > self._lobby.idle_seconds:
            self.abort()

    def finish(self) -> None:
        """Hang up, or have the first request of who has just come answered before that."""
        if self._answers:
            self.abort()
        else:
            self._lobby.move_on(self).finish()

    def abort(self) -> None:
        """Hang up."""
        self.accepted.close()  # and so out of the poll
        self._lobby.left(self)

    def _may_have(self, answer: QuickAnswer) -> bool:
        if not self._lobby.allows(self.peer, answer.name):
            return False
        self.granted = answer
        return True

    def _break(self) -> None:
        self._lobby.broken()
        self.abort()


class Lobby:
    """Where guests are. `close` it when all have left."""

    def __init__(
        self,
        *,
        find: Callable[[bytes], QuickAnswer | None],
        allows: Callable[[Peer, str], bool],
        move_on: MoveOn,
        left: Callable[[Guest], None],
        broken: Callable[[], None],
        idle_seconds: float,
    ) -> None:
        self.find = find
        self.allows = allows
        self.broken = broken
        self.idle_seconds = idle_seconds
        self._moved_on = move_on
        self._left = left
        self._guests: dict[int, Guest] = {}
        self._poll = select.epoll()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._poll.fileno(), self._listen)

    def enter(self, accepted: socket.socket, peer: Peer) -> Guest:
        """A guest, who has yet to be welcomed."""
        guest = Guest(self, accepted, peer, since=self._loop.time())
        self._guests[guest.descriptor] = guest
        return guest

    def welcome(self, guest: Guest) -> None:
        """Hear what is often there already, and listen to who stays."""
        guest.hear()
        if self._guests.get(guest.descriptor) is guest:
            self._poll.register(guest.descriptor, select.EPOLLIN)
            guest.polled = True

    def move_on(self, guest: Guest, *, received: bytes = b"", unsent: bytes = b"") -> Connection:
        """Have the guest served as a connection from now on."""
        del self._guests[guest.descriptor]
        if guest.polled:
            self._poll.unregister(guest.descriptor)
        return self._moved_on(guest, received=received, unsent=unsent)

    def left(self, guest: Guest) -> None:
        """Called by a guest that hung up."""
        del self._guests[guest.descriptor]
        self._left(guest)

    def close(self) -> None:
        """Listen no longer."""
        self._loop.remove_reader(self._poll.fileno())
        self._poll.close()

    def _listen(self) -> None:
        for descriptor, _ in self._poll.poll(0, _GUESTS_PER_TURN):
            guest = self._guests.get(descriptor)
            if guest is not None:  # it may have gone in the meantime
                guest.hear()
