"""Connections to one socket that are kept between requests, for any number of threads.

Owns: who uses which connection, and going on with a new one when the broker has closed an old one. Refuses to
know: what is asked. Without a lock: a connection is in the list or in one thread's hands, and `list.pop` and
`list.append` are atomic.
"""

import os
from _socket import socket
from time import monotonic

from broker.client import message
from broker.client.errors import BrokerUnreachable
from broker.client.wire import connect, converse

_MOST_IDLE = 8
"""Kept after a burst of threads; the broker itself closes what is idle for 30 s."""


class Session:
    """Keep-alive connections to the socket at `path`, opened when needed."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._idle: list[socket] = []
        self._process = os.getpid()

    def exchange(
        self, method: str, target: str, *, timeout_seconds: float, body: bytes | None = None
    ) -> message.Answer:
        """Send one request and read its answer, whatever its status.

        Repeats it on a new connection if a kept one turns out to be closed: all requests of the socket API can be
        repeated. Raises BrokerUnreachable, AccessDenied or UnexpectedAnswer.
        """
        deadline = monotonic() + timeout_seconds
        request = message.request(method, target, body=body, keep_alive=True)
        while (kept := self.take()) is not None:
            try:
                return self._converse(kept, request, deadline)
            except BrokerUnreachable as error:
                if error.code != "broken":
                    raise
        return self._converse(connect(self.path, deadline), request, deadline)

    def take(self) -> socket | None:
        """A kept connection, if there is one; it may turn out to be closed."""
        if self._process != os.getpid():
            # Forked: the parent goes on using these, and two may not talk on one connection.
            self.close()
            self._process = os.getpid()
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def give_back(self, connection: socket, answer: message.Answer) -> None:
        """Keep a connection after `answer`, or close it."""
        if answer.keep_alive and len(self._idle) < _MOST_IDLE:
            self._idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close what is kept; the session may still be used."""
        while self._idle:
            self._idle.pop().close()

    def __del__(self) -> None:
        """Most programs have one client for all their life, and nobody to close it."""
        self.close()

    def _converse(self, connection: socket, request: bytes, deadline: float) -> message.Answer:
        try:
            answer = converse(connection, request, deadline, self.path)
        except BaseException:
            connection.close()
            raise
        self.give_back(connection, answer)
        return answer
