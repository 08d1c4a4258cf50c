"""A server that answers whatever a test says, and remembers what it was asked.

Owns: one loopback listener, its script and its ledger. Refuses to know: whose protocol it imitates.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Asked:
    """One request; names of headers are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer; a body that is not bytes is sent as JSON."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Script = Callable[[Asked], Reply]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256  # or a crowd of clients finds connections reset


class FaultServer:
    """`script` may be replaced while it runs."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.ledger: list[Asked] = []
        self.connections = 0
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def asked(self, path: str) -> list[Asked]:
        """The requests for this path, oldest first."""
        return [each for each in self.ledger if each.path == path]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fault_server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = (
                -1
            )  # head and body in one packet, or each answer waits for the other side's delayed ACK

            def setup(self) -> None:
                super().setup()
                fault_server.connections += 1

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.command, self.path, headers, self.rfile.read(length))
                fault_server.ledger.append(asked)
                reply = fault_server.script(asked)
                self.send_response_only(reply.status)
                content = reply.content
                usual = {"Date": self.date_time_string(), "Content-Length": str(len(content))}
                for name, value in {**usual, **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = answer  # noqa: N815 - the names http.server looks for

            def log_message(self, *args: object) -> None:
                """The ledger is the log."""

        return Handler


@contextmanager
def running_fault_server(script: Script) -> Iterator[FaultServer]:
    """A server of one's own."""
    server = FaultServer(script)
    try:
        yield server
    finally:
        server.stop()
