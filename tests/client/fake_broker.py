"""A broker with keep-alive, in this process: tokens that are renewed on a report, and a watch that tells of it.

Owns: the state that a test arranges and the requests it saw. Refuses to know: how clients read.
"""

from __future__ import annotations

import hashlib
import json
import queue
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, cast

from tests.waiting import eventually


class FakeBroker:
    """Managed tokens by name; each has a revision from 1 on."""

    def __init__(self, path: Path, names: tuple[str, ...], *, life_seconds: float) -> None:
        self.path = path
        self.life_seconds = life_seconds
        self.revisions = dict.fromkeys(names, 1)
        self.issued = dict.fromkeys(names, time.time())
        self.mints_on_reject = True
        self.reject_answer: tuple[int, dict[str, object]] | None = None
        self.requests: list[str] = []
        self.reports: list[dict[str, object]] = []
        self.connections = 0
        self.watchers: list[queue.SimpleQueue[str | None]] = []
        self._server = _Server(str(path), _Handler)
        self._server.broker = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def token(self, name: str = "deploy") -> str:
        """The current access token."""
        return f"S3CR3T-{name}.revision-{self.revisions[name]}"

    def fingerprint(self, name: str = "deploy") -> str:
        """Of the current access token."""
        return hashlib.sha256(self.token(name).encode()).hexdigest()[:16]

    def renew(self, name: str = "deploy") -> None:
        """Mint, and tell the watchers."""
        self.revisions[name] += 1
        self.issued[name] = time.time()
        for watcher in list(self.watchers):
            watcher.put(name)

    def record(self, name: str) -> dict[str, object]:
        """As /v1/status and /v1/watch tell it."""
        issued = int(self.issued[name])
        return {
            "name": name,
            "state": "fresh",
            "condition": "ok",
            "reason": "renewed in time",
            "revision": self.revisions[name],
            "issued_at": issued,
            "expires_at": int(issued + self.life_seconds),
            "next_renewal_at": int(issued + self.life_seconds / 2),
            "secret_version": "1",
            "last_error": None,
        }

    def answer(self, name: str) -> dict[str, object]:
        """As /v1/tokens/NAME gives it."""
        issued = int(self.issued[name])
        return {
            "name": name,
            "access_token": self.token(name),
            "token_type": "Bearer",
            "expires_in": int(self.life_seconds),
            "expires_at": int(issued + self.life_seconds),
            "issued_at": issued,
            "scope": None,
            "revision": self.revisions[name],
            "fingerprint": self.fingerprint(name),
            "state": "fresh",
        }

    def hang_up(self) -> None:
        """End all connections that are open, as a restart does."""
        self._end_watches()
        self._server.hang_up()

    def close(self) -> None:
        """Stop, with everything that is open."""
        self._end_watches()
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()
        self.path.unlink()

    def _end_watches(self) -> None:
        for watcher in list(self.watchers):
            watcher.put(None)


@contextmanager
def fake_broker(path: Path, *names: str, life_seconds: float = 3600.0) -> Iterator[FakeBroker]:
    """A running fake with these tokens, or with `deploy`."""
    broker = FakeBroker(path, names or ("deploy",), life_seconds=life_seconds)
    try:
        yield broker
    finally:
        broker.close()


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = False
    request_queue_size = 128
    broker: FakeBroker

    def __init__(self, *arguments: Any) -> None:
        self._open: set[Any] = set()
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        self.broker.connections += 1
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no fault of the test."""

    def hang_up(self) -> None:
        ending = set(self._open)
        for connection in ending:
            with suppress(OSError):  # it may just have ended by itself
                connection.shutdown(socket.SHUT_RDWR)
        eventually(lambda: not ending & self._open, what="the connections end")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def broker(self) -> FakeBroker:
        return cast("_Server", self.server).broker

    def address_string(self) -> str:
        return "local"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Silent."""

    def do_GET(self) -> None:
        self.broker.requests.append(f"GET {self.path}")
        path = self.path.partition("?")[0]
        name = path.removeprefix("/v1/tokens/")
        if path == "/v1/watch":
            self._watch()
        elif path == "/v1/status":
            self._json(200, {"tokens": [self.broker.record(known) for known in self.broker.revisions]})
        elif name not in self.broker.revisions:
            self._problem(403, "denied")
        elif self.headers["Accept"] == "text/plain":
            self._send(200, self.broker.token(name).encode(), "text/plain")
        else:
            self._json(200, self.broker.answer(name))

    def do_POST(self) -> None:
        self.broker.requests.append(f"POST {self.path}")
        body = self.rfile.read(int(self.headers["Content-Length"]))
        name, _, verb = self.path.removeprefix("/v1/tokens/").partition("/")
        if name not in self.broker.revisions or verb != "reject":
            self._problem(403, "denied")
            return
        report = json.loads(body)
        self.broker.reports.append(report)
        if self.broker.reject_answer is not None:
            self._json(*self.broker.reject_answer)
        elif report["fingerprint"] != self.broker.fingerprint(name):
            self._json(200, {"outcome": "not_current"})
        else:
            if self.broker.mints_on_reject:
                self.broker.renew(name)
            self._json(202, {"outcome": "started"})

    def _watch(self) -> None:
        changes: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.broker.watchers.append(changes)
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for known in self.broker.revisions:
                self._line(known)
            while (name := changes.get()) is not None:
                self._line(name)
            self.wfile.write(b"0\r\n\r\n")
        finally:
            self.broker.watchers.remove(changes)

    def _line(self, name: str) -> None:
        line = json.dumps(self.broker.record(name)).encode() + b"\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))

    def _problem(self, status: int, code: str) -> None:
        self._json(status, {"code": code, "detail": f"Detail of {code}.", "help": f"Help for {code}."})

    def _json(self, status: int, document: dict[str, object]) -> None:
        self._send(status, json.dumps(document).encode(), "application/json")

    def _send(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
