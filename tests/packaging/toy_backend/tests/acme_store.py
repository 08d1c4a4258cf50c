"""Acme's store, small: secrets with versions behind a token, over HTTP.

Owns: what is stored, who is denied, what was asked for. Refuses to know: the backend.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import unquote


class AcmeStore:
    """On a port of loopback while the context lasts."""

    token = "S3CR3T-acme-token"

    def __init__(self) -> None:
        self.denied: set[str] = set()
        self.asked: list[str] = []
        self._secrets: dict[str, tuple[int, Any]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port: int = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def put(self, path: str, data: Any) -> None:
        """Store the next version of a secret."""
        version, _ = self._secrets.get(path, (0, None))
        self._secrets[path] = (version + 1, data)

    def _answer(self, path: str, authorization: str | None) -> tuple[int, Any]:
        self.asked.append(path)
        if authorization != f"Bearer {self.token}" or path in self.denied:
            return 403, {}
        if path not in self._secrets:
            return 404, {}
        version, data = self._secrets[path]
        return 200, {"version": version, "data": data}

    def _handler(store: AcmeStore) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - the handler has a self of its own
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = unquote(self.path).removeprefix("/v1/secrets/")
                status, found = store._answer(path, self.headers["Authorization"])
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(found).encode())

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler
