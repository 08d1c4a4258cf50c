"""requests over a Unix socket: an adapter, so that tools for HTTP APIs can be let loose on ours.

Owns: the connection. Refuses to know: what is asked.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

SECONDS = 20.0


def session(path: Path) -> requests.Session:
    """A session whose every request goes to this socket; environment and host names mean nothing."""
    found = requests.Session()
    found.trust_env = False
    found.mount("http://", _UnixAdapter(path))
    return found


class _UnixAdapter(HTTPAdapter):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._pool = _UnixPool(path)

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> HTTPConnectionPool:
        return self._pool

    def close(self) -> None:
        self._pool.close()


class _UnixPool(HTTPConnectionPool):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=SECONDS, retries=False)
        self._path = path

    def _new_conn(self) -> HTTPConnection:
        return _UnixConnection(self._path)


class _UnixConnection(HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=SECONDS)
        self._path = path

    def _new_conn(self) -> socket.socket:
        found = socket.socket(socket.AF_UNIX)
        found.settimeout(SECONDS)
        found.connect(str(self._path))
        return found
