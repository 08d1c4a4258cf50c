"""`GET /v1/watch`: a JSON line for each change of state or revision, to everybody who watches.

Owns: who watches and how far behind they may be. An observer: what happens is told as it happens, and nothing is kept
for a watcher that does not read. Refuses to know: rights (a function comes in), connections beyond their transport.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from broker import token_json
from broker.events import Event, MintSucceeded, StateChanged
from broker.ports import TokenReader
from broker.server.answers import record_members

UNREAD_BYTES = 262_144
"""A watcher that is further behind is dropped: it comes back, and gets a new snapshot."""


class Watchers:
    """Implements `broker.ports.Observer` for events that are emitted on the event loop."""

    def __init__(self, reader: TokenReader) -> None:
        self._reader = reader
        self._watching: dict[asyncio.Transport, Callable[[str], bool]] = {}

    def __len__(self) -> int:
        return len(self._watching)

    def add(self, transport: asyncio.Transport, allows: Callable[[str], bool]) -> None:
        """Send a snapshot, and from now on each change of what this peer may read."""
        self._watching[transport] = allows
        for name in self._reader.names():
            if allows(name):
                self._send(transport, self._line(name))

    def __call__(self, event: Event, /) -> None:
        if not self._watching or not isinstance(event, StateChanged | MintSucceeded):
            return
        try:
            line = self._line(event.token)
        except KeyError:  # it left the configuration in this instant
            return
        for transport, allows in list(self._watching.items()):
            if transport.is_closing():
                del self._watching[transport]
            elif allows(event.token):
                self._send(transport, line)

    def stop(self) -> None:
        """End every stream."""
        for transport in self._watching:
            transport.close()
        self._watching.clear()

    def _send(self, transport: asyncio.Transport, line: bytes) -> None:
        if transport.get_write_buffer_size() > UNREAD_BYTES:
            self._watching.pop(transport, None)
            transport.abort()
            return
        transport.write(line)

    def _line(self, name: str) -> bytes:
        return token_json.encode(record_members(self._reader.record(name))) + b"\n"
