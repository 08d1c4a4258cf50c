"""systemd's LoadCredential= over a socket, systemd.exec(5): connects, sends nothing, reads to the end.

Owns: what such a client calls itself in its socket address, and the answer: the bare token, or nothing.
Refuses to know: HTTP. Anybody can bind such a name, so it is believed only from root (R-135).
"""

from __future__ import annotations

import asyncio
import re
import socket
from dataclasses import dataclass

from broker.events import SocketDenied
from broker.ports import Clock, TokenReader
from broker.server.answers import Want, token
from broker.server.peer import Peer, unit_may_read
from broker.server.routes import LONGEST_WAIT_SECONDS, Routes
from broker.server.traffic import Traffic

_ADDRESS = re.compile(rb"\0[0-9a-f]{1,16}/unit/([^/\0]{1,255})/([^/\0]{1,255})")
_WANT = Want(min_valid=0.0, wait=LONGEST_WAIT_SECONDS, text=True)


@dataclass(frozen=True, slots=True)
class CredentialClaim:
    """The unit that asks and the credential's ID, which names the token."""

    unit: str
    token: str


def claim(address: object) -> CredentialClaim | None:
    """What the peer's address claims, or None for an ordinary client."""
    match = _ADDRESS.fullmatch(address) if isinstance(address, bytes) else None
    if match is None:
        return None
    return CredentialClaim(match[1].decode(errors="replace"), match[2].decode(errors="replace"))


class CredentialDesk:
    """Answers credential clients. The descriptor is closed in every case."""

    def __init__(self, *, routes: Routes, reader: TokenReader, clock: Clock, traffic: Traffic) -> None:
        self._routes = routes
        self._reader = reader
        self._clock = clock
        self._traffic = traffic
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def serve(self, accepted: socket.socket, asked: CredentialClaim, peer: Peer) -> None:
        """Answer at once, or wait for the first mint: a unit may start beside the broker."""
        started = self._clock.now().boot
        rule = self._routes.rules.get(asked.token)
        if rule is None or not (peer.known and peer.uid == 0 and unit_may_read(asked.unit, rule)):
            # Its unit is only what it says, unless it is root.
            unit = asked.unit if peer.uid == 0 and rule is not None else None
            name = None if rule is None else asked.token
            self._traffic.denied(SocketDenied(token=name, uid=peer.uid, pid=peer.pid, unit=unit))
            self._finish(accepted, None, 403, started)
            return
        content = self._content(asked.token)
        if content is not None:
            self._finish(accepted, content, 200, started)
            return
        task = asyncio.get_running_loop().create_task(self._serve_later(accepted, asked.token, started))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Let nobody wait any longer."""
        for task in tuple(self._tasks):
            task.cancel()

    async def _serve_later(self, accepted: socket.socket, name: str, started: float) -> None:
        try:
            await self._routes.usable(name, _WANT)
            content = self._content(name)
        except KeyError:  # left the configuration
            content = None
        except asyncio.CancelledError:
            accepted.close()
            raise
        self._finish(accepted, content, 503 if content is None else 200, started)

    def _content(self, name: str) -> bytes | None:
        try:
            response = token(self._reader, name, _WANT, self._clock.now())
        except KeyError:
            return None
        return None if response is None else response.body

    def _finish(self, accepted: socket.socket, content: bytes | None, code: int, started: float) -> None:
        with accepted:
            try:
                if content is not None and accepted.send(content) != len(content):
                    code = 503  # larger than an empty socket buffer; a part of a token must not look like one
            except OSError:
                code = 503
        self._traffic.served("credential", code, seconds=self._clock.now().boot - started)
