"""An API on loopback that demands the current token of a fake broker.

Owns: who is let in, and what each request brought. Refuses to know: the libraries that ask.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast

from tests.client.fake_broker import FakeBroker


@dataclass
class ResourceServer:
    """`refused` tokens are answered 401 although they are current; `/elsewhere?URL` redirects there."""

    broker: FakeBroker
    refused: set[str] = field(default_factory=set)
    requests: list[tuple[str, str, str | None, bytes]] = field(default_factory=list)
    """Method, path, Authorization header and body."""
    url: str = ""

    def tokens(self) -> list[str | None]:
        """What was in the headers, without the scheme."""
        return [header and header.removeprefix("Bearer ") for _, _, header, _ in self.requests]

    def admits(self, authorization: str | None) -> bool:
        """Whether this header opens the door."""
        token = self.broker.token()
        return authorization == f"Bearer {token}" and token not in self.refused


@contextmanager
def resource_server(broker: FakeBroker) -> Iterator[ResourceServer]:
    """A running one."""
    resource = ResourceServer(broker)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.resource = resource
    resource.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield resource
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    resource: ResourceServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 5

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Silent."""

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_GET  # noqa: N815 - the base class names them so

    def _serve(self) -> None:
        resource = cast("_Server", self.server).resource
        authorization = self.headers["Authorization"]
        body = self._body()
        resource.requests.append((self.command, self.path, authorization, body))
        if self.path.startswith("/elsewhere?"):
            self._send(307, location=self.path.partition("?")[2])
        elif resource.admits(authorization):
            self._send(200)
        else:
            self._send(401)

    def _body(self) -> bytes:
        if self.headers["Transfer-Encoding"] == "chunked":
            body = b""
            while length := int(self.rfile.readline(), 16):
                body += self.rfile.read(length)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers["Content-Length"] or 0))

    def _send(self, status: int, *, location: str | None = None) -> None:
        self.send_response(status)
        if location is not None:
            self.send_header("Location", location)
        self.send_header("Content-Length", "0")
        self.end_headers()
