"""A server that can be reached or not, as a test pleases, without being stopped.

Owns: one loopback port that is passed on to another. Cut, it refuses connections and breaks those that there were;
mended, it is the same port again. Refuses to know: what passes through.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self

from tests.servers.process import free_port


class Relay:
    """Passes connections on to `target` (a loopback port) from `mend()` to `cut()`."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self._target = target
        self._listener: socket.socket | None = None
        self._acceptor: threading.Thread | None = None
        self._pumps: list[threading.Thread] = []
        self._ends: list[socket.socket] = []

    def mend(self) -> None:
        """Accept connections."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._acceptor = _started(threading.Thread(target=self._accept, args=(self._listener,), daemon=True))

    def cut(self) -> None:
        """Refuse connections, and break the open ones."""
        if self._listener is None or self._acceptor is None:
            return
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # a close alone would not wake the accepting thread
        self._listener.close()
        self._acceptor.join()
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for pump in self._pumps:
            pump.join()
        for end in self._ends:
            end.close()
        self._listener = self._acceptor = None
        self._pumps, self._ends = [], []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._target))
            self._ends += [near, far]
            for ends in ((near, far), (far, near)):
                self._pumps.append(_started(threading.Thread(target=_pump, args=ends, daemon=True)))


def _started(thread: threading.Thread) -> threading.Thread:
    thread.start()
    return thread


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
