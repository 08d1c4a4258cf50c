"""A loopback port that answers each connection with whatever it is told."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self


class RawServer:
    """Reads a request's head, sends `answer`, and closes if told to; else it says no more."""

    def __init__(self, answer: bytes, *, close: bool = True) -> None:
        self._answer = answer
        self._close = close
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
        for connection in self._connections:
            connection.close()

    @property
    def connections(self) -> int:
        """How many clients came."""
        return len(self._connections)

    def left(self) -> bool:
        """Whether every client that came is gone."""
        return bool(self._connections) and all(_is_over(connection) for connection in self._connections)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            with contextlib.suppress(OSError):
                if self._answer:
                    self._read_head(connection)
                    connection.sendall(self._answer)
                if self._close:
                    connection.close()

    @staticmethod
    def _read_head(connection: socket.socket) -> None:
        connection.settimeout(5)
        received = b""
        while b"\r\n\r\n" not in received:
            chunk = connection.recv(65_536)
            if not chunk:
                return
            received += chunk


def _is_over(connection: socket.socket) -> bool:
    connection.settimeout(0)
    try:
        while connection.recv(65_536):
            pass
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    return True
