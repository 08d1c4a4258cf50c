"""Conditions under which a contract is put to a backend: hosts that fail, loggers that tell everything.

Owns: making and undoing them. Refuses to know: what is tested under them.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

_QUEUE_FILLERS: Final = 4


@contextmanager
def unpinned_loggers() -> Iterator[None]:
    """Every logger that exists forgets its level: a backend pins those of its libraries itself (R-112)."""
    loggers = [each for each in logging.root.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    levels = [(logger, logger.level) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.NOTSET)
    try:
        yield
    finally:
        for logger, level in levels:
            logger.setLevel(level)


@contextmanager
def closed_port() -> Iterator[int]:
    """A port of 127.0.0.1 that refuses connections and that nobody else gets meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@contextmanager
def silent_port() -> Iterator[int]:
    """A port of 127.0.0.1 that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@contextmanager
def listening_port() -> Iterator[tuple[int, list[str]]]:
    """A port of 127.0.0.1, and who has connected to it by the end."""
    connections: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1], connections
        listening.settimeout(0.0)
        with suppress(BlockingIOError):
            connection, peer = listening.accept()
            connection.close()
            connections.append(str(peer))


@contextmanager
def black_hole() -> Iterator[int]:
    """A port of 127.0.0.1 whose queue of connections is full: attempts to connect are not even refused."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(_QUEUE_FILLERS):
            filler = stack.enter_context(socket.socket())
            filler.settimeout(0.0)
            filler.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]


@contextmanager
def answering_port(
    status: int, headers: Mapping[str, str], body: bytes = b"{}"
) -> Iterator[tuple[int, list[str]]]:
    """A port of 127.0.0.1 where HTTP requests are answered like this, and the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65_537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked.append(self.path)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_port, asked
        finally:
            server.shutdown()
            thread.join()
