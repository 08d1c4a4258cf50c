"""The port of the development authorization server.

Owns: accepting, a thread per connection, TLS handshakes, and an end that no connection can delay. Refuses to
know: what is served.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from broker.dev.exchange import ExchangeHandler, Site

_POLL_SECONDS: Final = 0.05
_STOP_SECONDS: Final = 2.0


class Listener(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """One life of the port: a thread that accepts, and a daemon thread per connection."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        site: Callable[[threading.Event], Site],
        tls: ssl.SSLContext | None,
    ) -> None:
        self._stopping = threading.Event()
        self._tls = tls
        self._lock = threading.Lock()
        self._open: dict[threading.Thread, socket.socket] = {}
        self._thread = threading.Thread(target=self.serve_forever, args=(_POLL_SECONDS,), daemon=True)
        handler = type("BoundExchangeHandler", (ExchangeHandler,), {"site": site(self._stopping)})
        super().__init__(address, handler)

    def run(self) -> None:
        """Accept in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Within two seconds, whatever the connections do."""
        self._stopping.set()
        self.shutdown()
        self.server_close()
        with self._lock:
            connections = dict(self._open)
        for connection in connections.values():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + _STOP_SECONDS
        for thread in (self._thread, *connections):
            thread.join(max(deadline - time.monotonic(), 0))

    def finish_request(self, request: Any, client_address: Any) -> None:
        # The handshake is done in the connection's own thread: a peer that stalls it must not stop others.
        connection = (
            request
            if self._tls is None
            else self._tls.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
        )
        me = threading.current_thread()
        with self._lock:
            self._open[me] = connection
        try:
            if self._stopping.is_set():
                return
            if isinstance(connection, ssl.SSLSocket):
                connection.do_handshake()
            super().finish_request(connection, client_address)
        finally:
            with self._lock:
                del self._open[me]
            if connection is not request:
                connection.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        # Half of the faults make a peer leave in the middle; anything else is a bug and is shown.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)
