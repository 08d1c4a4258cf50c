"""`token-broker status --watch`: the records as they change.

Owns: following the stream, also across restarts of the broker, and where on a screen the table goes. Refuses to
know: what a table looks like. Ends by Ctrl-C, or when nobody reads any more.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, time
from typing import NoReturn, Protocol

from broker.cli.life_table import Style, life_table, style_for
from broker.cli.streams import complain, put
from broker.client.errors import BrokerUnreachable
from broker.client.pause import pause
from broker.client.watch import Record, Watch

_TICK_SECONDS = 1.0
"""Lives are shown in seconds."""
_SNAPSHOT_SECONDS = 0.05
"""What comes together is shown together."""
_RECONNECT_SECONDS = 1.0

# Other screen, no cursor, no line wrap: a long table is cut off, and the shell's own lines come back at the end.
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l\x1b[?7l", "\x1b[?7h\x1b[?25h\x1b[?1049l"
_REDRAW = "\x1b[H\x1b[J"


class View(Protocol):
    """Where records go."""

    def show(self, records: list[Record]) -> None:
        """These came. An empty list: a second went by."""

    def lost(self, error: BrokerUnreachable) -> None:
        """There is no stream for now; the next one begins with all records."""


def follow(path: str, name: str | None, *, as_json: bool) -> NoReturn:
    """Show all records, or those of one token. Raises TokenClientError if there is no stream to begin with."""
    watch = Watch(path)
    if as_json:
        _follow(path, watch, name, _Lines())
    with _screen() as on_terminal:
        _follow(path, watch, name, _Table(on_terminal=on_terminal))


def _follow(path: str, watch: Watch, name: str | None, view: View) -> NoReturn:
    while True:
        try:
            _show_until_lost(watch, name, view)
        except BrokerUnreachable as error:
            view.lost(error)
        watch = _reopened(path, view)


def _show_until_lost(watch: Watch, name: str | None, view: View) -> NoReturn:
    try:
        while True:
            records = _read(watch)
            view.show([record for record in records if name in (None, record["name"])])
    finally:
        watch.close()


def _read(watch: Watch) -> list[Record]:
    records = watch.read(timeout_seconds=_TICK_SECONDS)
    deadline = monotonic() + _SNAPSHOT_SECONDS
    while records and (left := deadline - monotonic()) > 0:
        try:
            records += watch.read(timeout_seconds=left)
        except BrokerUnreachable:
            break  # what came before the end is shown; the next read says the same again
    return records


def _reopened(path: str, view: View) -> Watch:
    while True:
        try:
            return Watch(path)
        except BrokerUnreachable as error:
            view.lost(error)
            pause(_RECONNECT_SECONDS)


class _Lines:
    """JSON, a record a line, as they came."""

    def __init__(self) -> None:
        self._complained = False

    def show(self, records: list[Record]) -> None:
        if records:
            self._complained = False
            put(b"".join(json.dumps(record, separators=(",", ":")).encode() + b"\n" for record in records))

    def lost(self, error: BrokerUnreachable) -> None:
        if not self._complained:
            complain(f"token-broker: {error}")
            self._complained = True


class _Table:
    """The table, in place on a terminal, else once more after each change."""

    def __init__(self, *, on_terminal: bool) -> None:
        self._on_terminal = on_terminal
        self._style: Style = style_for(sys.stdout, os.environ)
        self._records: dict[str, Record] = {}
        self._trouble: str | None = None

    def show(self, records: list[Record]) -> None:
        if self._trouble is not None and records:
            self._trouble = None
            self._records.clear()
        self._records.update({str(record["name"]): record for record in records})
        if records or self._on_terminal:
            self._draw()

    def lost(self, error: BrokerUnreachable) -> None:
        changed = self._trouble is None
        self._trouble = str(error)
        if changed or self._on_terminal:
            self._draw()

    def _draw(self) -> None:
        records = [self._records[name] for name in sorted(self._records)]
        text = life_table(records, now=time(), style=self._style)
        if self._trouble is not None:
            text += f"\n{self._style.paint(self._trouble, '33')}\n"
        if self._on_terminal:
            lines = text.splitlines()[: os.get_terminal_size(sys.stdout.fileno()).lines - 1]
            text = _REDRAW + "\r\n".join(lines)
        else:
            text += "\n"
        put(text.encode(sys.stdout.encoding, "replace"))


@contextmanager
def _screen() -> Iterator[bool]:
    """Whether there is a terminal; if so, it is as it was before in the end."""
    if not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        yield False
        return
    put(_ENTER.encode())
    try:
        yield True
    finally:
        put(_LEAVE.encode())
