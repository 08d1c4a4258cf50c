"""A server that can be reached or not, as a test pleases, without being stopped.

Owns: one loopback port that is passed on to another. Cut, it refuses connections and breaks those that there were;
mended, it is the same port again. Refuses to know: what passes through.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self


class Relay:
    """Passes connections on to `target` (a loopback port) from `mend()` to `cut()`."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = _bound(0)
        self.port: int = self._listener.getsockname()[1]
        self._acceptor: threading.Thread | None = None
        self._pumps: list[threading.Thread] = []
        self._ends: list[socket.socket] = []

    def mend(self) -> None:
        """Accept connections."""
        self._listener.listen()
        self._acceptor = _started(threading.Thread(target=self._accept, args=(self._listener,), daemon=True))

    def cut(self) -> None:
        """Refuse connections, and break the open ones."""
        self._close()
        self._listener = _bound(self.port)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # a close alone would not wake the accepting thread
        self._listener.close()
        if self._acceptor is not None:
            self._acceptor.join()
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for pump in self._pumps:
            pump.join()
        for end in self._ends:
            end.close()
        self._acceptor = None
        self._pumps, self._ends = [], []

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


def _bound(port: int) -> socket.socket:
    """Ours, but not listening: nobody else can take the port, and who connects is refused."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", port))
    return held


def _started(thread: threading.Thread) -> threading.Thread:
    thread.start()
    return thread


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
