"""The ops listener: metrics, health and the status page, for whoever may connect to a loopback port.

Owns: its address, its routes, the check of the Host header against DNS rebinding, its limits (R-169). Refuses
to know: what readiness means, how metrics are made. Nobody is authenticated here, so nothing here is secret.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from broker import token_json
from broker.errors import ConfigError, Fault
from broker.events import LifeCycle
from broker.policy.readiness import Readiness
from broker.ports import Clock, Observer, TokenReader
from broker.server import page
from broker.server.authority import is_ours
from broker.server.connection import Connection
from broker.server.http import Request, Response
from broker.server.listener import BACKLOG, Listener
from broker.server.patience import Patience
from broker.server.socket_file import SocketFile, SocketInUse, bind

KEY = "ops.listen"
_UNIX_PREFIX = "unix:"
_UNIX_MODE = 0o660
_READY_PREFIX = "/readyz/"
_HIGHEST_PORT = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class OpsLimits:
    """A scraper that does not read holds a connection for 10 s at the most (R-169)."""

    connections: int = 64
    patience: Patience = field(default_factory=lambda: Patience(send_seconds=10.0))
    sweep_seconds: float = 0.5
    stop_seconds: float = 1.0


class OpsServer:
    """Serves on `listen`: HOST:PORT or unix:PATH.

    `name_ready` raises KeyError for a name that is not configured; `metrics` gives a body and its type.
    """

    def __init__(
        self,
        *,
        listen: str,
        metrics: Callable[[], tuple[bytes, str]],
        reader: TokenReader,
        ready: Callable[[], Readiness],
        name_ready: Callable[[str], Readiness],
        observer: Observer,
        clock: Clock,
        limits: OpsLimits | None = None,
    ) -> None:
        self._listen = listen
        self._metrics = metrics
        self._reader = reader
        self._ready = ready
        self._name_ready = name_ready
        self._observer = observer
        self._clock = clock
        self._limits = limits or OpsLimits()
        self._file: SocketFile | None = None
        self._listening: socket.socket | None = None
        self._listener: Listener | None = None

    async def start(self) -> None:
        """Listen. Raises ConfigError with a fault at `ops.listen`."""
        if self._listen.startswith(_UNIX_PREFIX):
            path = Path(self._listen.removeprefix(_UNIX_PREFIX))
            try:
                self._file = bind(path, mode=_UNIX_MODE, gid=None, key=KEY)
            except SocketInUse as error:
                raise ConfigError((Fault(KEY, error.message),)) from None
            self._listening = self._file.listening
        else:
            self._listening = _bind_tcp(self._listen)
        self._listener = Listener(
            self._listening,
            admit=self._admit,
            turn_away=socket.socket.close,
            tick=lambda: None,
            warn=lambda message: self._observer(LifeCycle(phase="warning", message=f"{KEY}: {message}")),
            sweep_seconds=self._limits.sweep_seconds,
        )

    async def stop(self) -> None:
        """Close the listening socket and all connections; idempotent."""
        if self._listener is None or self._listening is None:
            return
        self._listener.stop_accepting()
        if self._file is not None:
            self._file.close()
        else:
            self._listening.close()
        await self._listener.stop(grace_seconds=self._limits.stop_seconds)
        self._listener = None

    @property
    def address(self) -> Any:
        """Where it listens, with the port that the system chose for port 0."""
        return None if self._listening is None else self._listening.getsockname()

    def respond(self, request: Request, local: Any) -> Response:
        """The answer to a request that came in at this local address."""
        if isinstance(local, tuple) and not is_ours(request.host, listen=self._listen, local_host=local[0]):
            return _text(403, "The Host header must be a loopback name or ops.listen itself.")
        if request.method not in ("GET", "HEAD"):
            return _text(405, "Use GET.", headers=(("Allow", "GET, HEAD"),))
        match request.path:
            case "/livez":
                return _text(200, "ok")
            case "/readyz":
                return _readiness(self._ready())
            case "/metrics":
                body, content_type = self._metrics()
                return Response(status=200, body=body, content_type=content_type)
            case "/":
                now = self._clock.now().wall
                records = [self._reader.record(name) for name in self._reader.names()]
                body = page.render(records, wall=now)
                return Response(status=200, body=body, content_type=page.CONTENT_TYPE, headers=page.HEADERS)
            case path if path.startswith(_READY_PREFIX):
                try:
                    return _readiness(self._name_ready(path.removeprefix(_READY_PREFIX)))
                except KeyError:
                    return _text(404, "There is no token of this name.")
            case _:
                return _text(404, "There are /metrics, /livez, /readyz, /readyz/NAME and /.")

    def _admit(self, accepted: socket.socket, address: Any) -> None:  # noqa: ARG002
        if self._listener is None or len(self._listener.connections) >= self._limits.connections:
            accepted.close()
            return
        connection = _OpsConnection(
            self,
            local=accepted.getsockname(),
            clock=self._clock,
            patience=self._limits.patience,
            lost=self._listener.lost,
        )
        self._listener.open(connection, accepted)


class _OpsConnection(Connection):
    __slots__ = ("_local", "_server")

    def __init__(
        self,
        server: OpsServer,
        *,
        local: Any,
        clock: Clock,
        patience: Patience,
        lost: Callable[[Connection], None],
    ) -> None:
        super().__init__(clock=clock, patience=patience, lost=lost)
        self._server = server
        self._local = local

    def respond(self, request: Request) -> Response:
        return self._server.respond(request, self._local)

    def refuse(self, reason: str) -> Response:
        return _text(400, f"{reason[:1].upper()}{reason[1:]}.")


def _bind_tcp(listen: str) -> socket.socket:
    host, _, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or int(port) > _HIGHEST_PORT:
        raise ConfigError((Fault(KEY, "must be HOST:PORT or unix:PATH"),))
    listening: socket.socket | None = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        if listening is not None:
            listening.close()
        in_use = error.errno == errno.EADDRINUSE
        reason = "is in use by another process" if in_use else f"cannot be listened on: {error.strerror}"
        raise ConfigError((Fault(KEY, f"{listen} {reason}"),)) from None
    return listening


def _readiness(readiness: Readiness) -> Response:
    body = token_json.encode({"ready": readiness.ready, "reasons": list(readiness.reasons)}) + b"\n"
    return Response(status=200 if readiness.ready else 503, body=body, content_type="application/json")


def _text(status: int, text: str, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    return Response(
        status=status, body=f"{text}\n".encode(), content_type="text/plain; charset=utf-8", headers=headers
    )
