"""`GET /v1/watch`: a record of each token, then one for each change of state, condition or revision, a line each.

Owns: who watches, what was told, and what each watcher has still to be told: a name, never a line, so that one who
does not read costs a mark for each token until the connection's patience ends. Refuses to know: rights (a function
comes in), connections.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Final

from broker import token_json
from broker.events import Event, MintSucceeded, StateChanged
from broker.model import TokenRecord
from broker.ports import TokenReader
from broker.server.answers import record_members

CONTENT_TYPE: Final = "application/x-ndjson"
_LINES_AT_ONCE: Final = 128

MayRead = Callable[[str], bool]


class Watchers:
    """Implements `broker.ports.Observer` for events that are emitted on the event loop."""

    def __init__(self, reader: TokenReader) -> None:
        self._reader = reader
        self._watching: set[Watch] = set()
        self._told: dict[str, tuple[object, ...]] = {}
        self._changed: dict[str, None] = {}
        self._telling: asyncio.Handle | None = None
        self._lines: dict[str, bytes] = {}

    def __len__(self) -> int:
        return len(self._watching)

    def __call__(self, event: Event, /) -> None:
        if self._watching and isinstance(event, StateChanged | MintSucceeded):
            self._changed[event.token] = None
            if self._telling is None:  # a mint tells twice: of its state and of itself
                self._telling = asyncio.get_running_loop().call_soon(self._tell)

    def watch(self, may_read: MayRead) -> Watch:
        """A stream for one connection; it starts when the connection does."""
        return Watch(self, may_read)

    @contextmanager
    def rights_changing(self) -> Iterator[None]:
        """Whatever is done inside: watchers get records of what they could not read before."""
        before = {watch: set(self.readable(watch)) for watch in self._watching}
        yield
        self._remember()
        for watch, names in before.items():
            watch.add(name for name in self.readable(watch) if name not in names)

    def begin(self, watch: Watch) -> None:
        """Have this stream told of changes, and first of everything."""
        if self._telling is not None:  # what is about to be told is in the snapshot
            self._telling.cancel()
            self._tell()
        self._watching.add(watch)
        self._remember()
        watch.add(self.readable(watch))

    def end(self, watch: Watch) -> None:
        """Forget a stream."""
        self._watching.discard(watch)
        if not self._watching:
            self._told.clear()

    def readable(self, watch: Watch) -> Iterator[str]:
        """The names that this watcher may read now."""
        return filter(watch.may_read, self._reader.names())

    def line(self, name: str) -> bytes:
        """The record as it is now; empty for a name that has left the configuration."""
        try:
            return self._lines.get(name) or _line(self._reader.record(name))
        except KeyError:
            return b""

    def _tell(self) -> None:
        self._telling = None
        changed, self._changed = self._changed, {}
        for name in changed:
            try:
                record = self._reader.record(name)
            except KeyError:  # it left the configuration
                self._told.pop(name, None)
                continue
            if self._told.get(name) != _essence(record):
                self._told[name] = _essence(record)
                self._lines[name] = _line(record)
        for watch in tuple(self._watching) if self._lines else ():
            watch.add(name for name in self._lines if watch.may_read(name))
        self._lines.clear()

    def _remember(self) -> None:
        for name in self._reader.names() if self._watching else ():
            if name not in self._told:
                self._told[name] = _essence(self._reader.record(name))


class Watch:
    """One watcher; implements `broker.server.http.Stream`."""

    __slots__ = ("_due", "_wake", "_watchers", "may_read")

    def __init__(self, watchers: Watchers, may_read: MayRead) -> None:
        self.may_read = may_read
        self._watchers = watchers
        self._due: dict[str, None] = {}
        self._wake: Callable[[], None] | None = None

    def start(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._watchers.begin(self)

    def add(self, names: Iterator[str]) -> None:
        """These are to be told, once each, as they are when the peer reads."""
        self._due.update(dict.fromkeys(names))
        if self._due and self._wake is not None:
            self._wake()

    def take(self) -> bytes:
        lines = b""
        while self._due and not lines:
            names = tuple(islice(self._due, _LINES_AT_ONCE))
            for name in names:
                del self._due[name]
            lines = b"".join(self._watchers.line(name) for name in names if self.may_read(name))
        return lines

    def stop(self) -> None:
        self._watchers.end(self)


def _essence(record: TokenRecord) -> tuple[object, ...]:
    """What makes a record another one; the time of the next renewal does not."""
    return record.state, record.condition, record.revision


def _line(record: TokenRecord) -> bytes:
    return token_json.encode(record_members(record)) + b"\n"
