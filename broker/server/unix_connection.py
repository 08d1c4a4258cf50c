"""One peer of the Unix socket, with a transport of the event loop.

Owns: what it brings from the lobby, answering at once what was asked before in the same bytes. Refuses to know: what
the routes are, limits.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable

from broker.ports import Clock
from broker.server import problems
from broker.server.connection import Connection
from broker.server.http import HEAD_END, Request, Response
from broker.server.patience import Patience
from broker.server.peer import Peer
from broker.server.quick import QuickAnswer
from broker.server.routes import Routes
from broker.server.traffic import Traffic

_ANSWERS_PER_TURN = 16  # they take less time than one that is parsed


class UnixConnection(Connection):
    """A guest that has moved on: it first sends `unsent`, and hears `received`."""

    __slots__ = ("_find", "_granted", "_received", "_routes", "_traffic", "_unsent", "peer")

    def __init__(
        self,
        *,
        routes: Routes,
        traffic: Traffic,
        peer: Peer,
        clock: Clock,
        patience: Patience,
        lost: Callable[[Connection], None],
        received: bytes = b"",
        unsent: bytes = b"",
    ) -> None:
        super().__init__(clock=clock, patience=patience, lost=lost)
        self.peer = peer
        self._granted: QuickAnswer | None = None
        self._received = received
        self._unsent = unsent
        self.active = bool(unsent)
        self._routes = routes
        self._find = routes.quick.find
        self._traffic = traffic

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        unsent, received = self._unsent, self._received
        self._unsent = self._received = b""
        if unsent:
            self._transport.write(unsent)
        if received:
            self.data_received(received)

    def data_received(self, data: bytes) -> None:
        if not self.open:
            self.receive(data)
            return
        answer = self._find(data)
        if answer is not None and (answer is self._granted or self._may_have(answer)):
            answer.served += 1
            self.active = True
            self._send(answer.content)
        else:
            self._receive_several(data)

    def _receive_several(self, data: bytes) -> None:
        """Answer those that need no thinking, as far as this is one connection's turn."""
        contents: list[bytes] = []
        position = 0
        while len(contents) < _ANSWERS_PER_TURN:
            end = data.find(HEAD_END, position) + len(HEAD_END)
            answer = self._find(data[position:end])
            if answer is None or not (answer is self._granted or self._may_have(answer)):
                break
            answer.served += 1
            contents.append(answer.content)
            position = end
        if contents:
            self.active = True
            self._send(b"".join(contents))
        if position < len(data):
            self.receive(data[position:])

    def _may_have(self, answer: QuickAnswer) -> bool:
        if not self._routes.allows(self.peer, answer.name):
            return False
        self._granted = answer
        return True

    def _send(self, content: bytes) -> None:
        """Past the event loop, which is a tenth slower; it gets what the kernel does not take, and every error."""
        if not self._transport.get_write_buffer_size():
            try:
                sent = os.write(self.descriptor, content)
            except OSError:
                sent = 0
            if sent == len(content):
                return
            content = content[sent:]
        self._transport.write(content)

    def respond(self, request: Request) -> Response | Awaitable[Response]:
        return self._routes.respond(request, self.peer)

    def judge(self, request: Request) -> Response | None:
        return self._routes.refusal(request, self.peer)

    def refuse(self, reason: str) -> Response:
        return problems.invalid_request(reason, route="other")

    def served(self, response: Response, *, seconds: float) -> None:
        self._traffic.served(response.route, response.status, seconds=seconds)

    def broken(self) -> None:
        self._traffic.broken()
