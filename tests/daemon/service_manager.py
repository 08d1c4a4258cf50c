"""The service manager's end of NOTIFY_SOCKET (sd_notify(3))."""

from __future__ import annotations

import select
import socket
from pathlib import Path


class ServiceManager:
    """Listens where NOTIFY_SOCKET points."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(0)
        self.datagrams: list[str] = []

    def heard(self, text: str) -> bool:
        """Whether a datagram contained this."""
        return self.count(text) > 0

    def count(self, text: str) -> int:
        """How many datagrams contained this."""
        self._receive()
        return sum(text in datagram for datagram in self.datagrams)

    def is_silent(self, seconds: float) -> bool:
        """Whether nothing more comes within this time."""
        self._receive()
        readable, _, _ = select.select([self._socket], [], [], seconds)
        return not readable

    def close(self) -> None:
        self._socket.close()

    def _receive(self) -> None:
        try:
            while True:
                self.datagrams.append(self._socket.recv(65_536).decode())
        except BlockingIOError:
            return
