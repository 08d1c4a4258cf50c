"""The Unix socket server.

Owns: admission of peers, the limits on their number, start and stop. Refuses to know: what the routes are, how
answers are worded, how a token is minted.
"""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from broker.events import Event, LifeCycle
from broker.ports import Clock, Observer, TokenReader
from broker.server import problems
from broker.server.connection import Connection
from broker.server.credentials import CredentialDesk, claim
from broker.server.listener import Held, Listener
from broker.server.lobby import Guest, Lobby
from broker.server.patience import Patience
from broker.server.peer import AccessRule, Peer, overflow_ids, read_peer
from broker.server.routes import Routes
from broker.server.socket_file import SocketFile, bind
from broker.server.traffic import Traffic
from broker.server.unix_connection import UnixConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketLimits:
    """R-136; root and the broker's own user are bounded by the total only."""

    connections: int = 512
    connections_per_uid: int = 128
    patience: Patience = field(default_factory=Patience)
    sweep_seconds: float = 0.5
    stop_seconds: float = 1.0


class UnixServer:
    """Serves the socket API on `path`, or on an inherited listening socket (R-149), which it leaves open."""

    def __init__(
        self,
        *,
        path: Path,
        mode: int,
        gid: int | None,
        reader: TokenReader,
        rules: Mapping[str, AccessRule],
        observer: Observer,
        clock: Clock,
        boot: Callable[[], float] | None = None,
        inherited: socket.socket | None = None,
        limits: SocketLimits | None = None,
    ) -> None:
        self._path = path
        self._mode = mode
        self._gid = gid
        self._reader = reader
        self._clock = clock
        self._observer = observer
        self._inherited = inherited
        self._limits = limits or SocketLimits()
        self._own_uid = os.geteuid()
        self._overflow = overflow_ids()
        self._traffic = Traffic(observer)
        self._routes = Routes(
            reader=reader,
            rules=rules,
            clock=clock,
            boot=boot or _reader_of(clock),
            traffic=self._traffic,
            own_uid=self._own_uid,
        )
        self._desk = CredentialDesk(routes=self._routes, reader=reader, clock=clock, traffic=self._traffic)
        self._per_uid: Counter[int] = Counter()
        self._file: SocketFile | None = None
        self._listener: Listener | None = None
        self._lobby: Lobby | None = None

    async def start(self) -> None:
        """Listen. Raises SocketInUse, or ConfigError with a fault at `socket.path`."""
        listening = self._inherited
        if listening is None:
            self._file = bind(self._path, mode=self._mode, gid=self._gid, key="socket.path")
            listening = self._file.listening
        self._listener = Listener(
            listening,
            admit=self._admit,
            turn_away=self._turn_away,
            tick=self.flush,
            warn=lambda message: self._observer(LifeCycle(phase="warning", message=message)),
            sweep_seconds=self._limits.sweep_seconds,
        )
        self._lobby = Lobby(
            find=self._routes.quick.find,
            allows=self._routes.allows,
            move_on=self._move_on,
            left=lambda guest: self._lost(guest.peer.uid, guest),
            broken=self._traffic.broken,
            idle_seconds=self._limits.patience.idle_seconds,
        )

    @property
    def address(self) -> str:
        """Where it listens: the configured path, or that of the socket that was handed over."""
        return str(self._path) if self._inherited is None else str(self._inherited.getsockname())

    def restore_name(self) -> bool:
        """Listen under our name again where somebody removed it; whether that was so. Raises as `start` does."""
        if self._file is None or self._listener is None or self._file.is_named:
            return False
        nameless = self._file
        self._file = bind(self._path, mode=self._mode, gid=self._gid, key="socket.path")
        self._listener.listen_to(self._file.listening)
        nameless.close()
        return True

    async def stop(self) -> None:
        """Refuse new clients, answer the present ones, remove our name from the file system; idempotent."""
        if self._listener is None or self._lobby is None:
            return
        self._listener.stop_accepting()
        if self._file is not None:
            self._file.close()
        self._desk.close()
        self._routes.hurry()
        await self._listener.stop(grace_seconds=self._limits.stop_seconds)
        self._lobby.close()
        self._listener = None
        self.flush()

    def replace_rules(self, rules: Mapping[str, AccessRule]) -> None:
        """Apply other rights at once, also to connections that are open."""
        with self._routes.watchers.rights_changing():
            self._routes.rules = rules
        self._routes.quick.clear()

    def observe(self, event: Event) -> None:
        """Tell those who watch what happened to a token; implements `Observer` on the event loop."""
        self._routes.watchers(event)

    def flush(self) -> None:
        """Tell the observer what was served up to now; without this it hears of it twice a second."""
        self._routes.quick.count(self._traffic)
        self._traffic.flush()

    def _admit(self, accepted: socket.socket, address: Any) -> None:
        if self._listener is None or self._lobby is None:
            accepted.close()
            return
        peer = read_peer(accepted, self._overflow)
        if not self._has_room(peer, self._listener):
            self._turn_away(accepted)
            return
        credential = claim(address)
        if credential is not None:
            self._desk.serve(accepted, credential, peer)
            return
        self._per_uid[peer.uid] += 1
        guest = self._lobby.enter(accepted, peer)
        self._listener.hold(guest)
        self._lobby.welcome(guest)

    def _move_on(self, guest: Guest, *, received: bytes, unsent: bytes) -> Connection:
        connection = UnixConnection(
            routes=self._routes,
            traffic=self._traffic,
            peer=guest.peer,
            clock=self._clock,
            patience=self._limits.patience,
            lost=partial(self._lost, guest.peer.uid),
            received=received,
            unsent=unsent,
        )
        if self._listener is not None:
            self._listener.replace(guest, connection, guest.accepted)
        return connection

    def _turn_away(self, accepted: socket.socket) -> None:
        """Say why, which fits into an empty socket buffer, and hang up."""
        response = problems.too_many_connections()
        with accepted, suppress(OSError):
            accepted.send(response.render(wall=self._clock.now().wall, keep_alive=False))
        self._traffic.served("other", response.status, seconds=0.0)

    def _has_room(self, peer: Peer, listener: Listener) -> bool:
        if len(listener.connections) + len(self._desk) >= self._limits.connections:
            return False
        return peer.uid in (0, self._own_uid) or self._per_uid[peer.uid] < self._limits.connections_per_uid

    def _lost(self, uid: int, held: Held) -> None:
        self._per_uid[uid] -= 1
        if not self._per_uid[uid]:
            del self._per_uid[uid]
        if self._listener is not None:
            self._listener.lost(held)


def _reader_of(clock: Clock) -> Callable[[], float]:
    return lambda: clock.now().boot
