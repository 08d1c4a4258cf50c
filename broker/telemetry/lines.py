"""One log record as one line: JSON for machines, text for people.

Owns: the order of the members (time, level, event, token, ..., message), and what of a record may be shown.
Refuses to know: events, where lines go.

Our own loggers write named fields of plain values. Of everybody else's records only the logger, the place and
the template of the message are shown, never its arguments; of an exception only its type and the code
locations (R-156), unless it is a BrokerError, whose message is made to be shown.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final

from broker.errors import BrokerError

OUR_PACKAGES: Final = frozenset({"broker", "backends"})

_LONGEST_TEXT: Final = 2_000
_DEEPEST_GROUP: Final = 3
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "event",
    "token",
}
_UNPRINTABLE: Final = {
    **{code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160), 0x2028, 0x2029)},
    ord("\n"): "; ",
}


def is_ours(logger_name: str) -> bool:
    """Whether a logger belongs to the broker or a first-party backend."""
    return logger_name.partition(".")[0] in OUR_PACKAGES


class JsonFormatter(logging.Formatter):
    """As `{"time","level","event","token",...,"message"}`."""

    def format(self, record: logging.LogRecord) -> str:
        members = {name: value for name, value in _members(record) if value is not None}
        return json.dumps(members, separators=(",", ":"))


class TextFormatter(logging.Formatter):
    """As `TIME LEVEL EVENT TOKEN: MESSAGE (name=value, ...)`."""

    def format(self, record: logging.LogRecord) -> str:
        members = {name: value for name, value in _members(record) if value is not None}
        time, level, event = members.pop("time"), members.pop("level"), members.pop("event")
        about = f"{event} {members.pop('token')}" if "token" in members else str(event)
        message = members.pop("message")
        details = ", ".join(f"{name}={value}" for name, value in members.items())
        line = f"{time} {level:<7} {about}: {message}" + (f" ({details})" if details else "")
        return line.translate(_UNPRINTABLE)


def describe(error: BaseException) -> str:
    """Type and code locations of an exception and its causes; its words only where they are ours."""
    parts = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        parts.append(_one(current))
        hidden = current.__suppress_context__
        current = current.__cause__ or (None if hidden else current.__context__)
    return " < ".join(parts)


def _members(record: logging.LogRecord) -> Iterator[tuple[str, Any]]:
    yield (
        "time",
        datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    )
    yield "level", record.levelname.lower()
    if is_ours(record.name):
        yield "event", getattr(record, "event", "log")
        yield "token", getattr(record, "token", None)
        for name, value in vars(record).items():
            if name not in _STANDARD:
                yield name, _plain(value)
        message = record.getMessage()
    else:
        yield "event", "library"
        yield "logger", record.name
        yield "at", f"{_short(record.pathname)}:{record.lineno}"
        # Without arguments the text may have been put together from values before it came here.
        message = str(record.msg) if record.args else "a message, not shown since it may hold values"
    if record.exc_info and record.exc_info[1] is not None:
        yield "error", describe(record.exc_info[1])
    yield "message", _cut(message)


def _plain(value: object) -> str | int | float | None:
    match value:
        case None | bool() | int():
            return value
        case float():
            return round(value, 3)
        case str():
            return _cut(value)
        case _:
            return f"<{type(value).__name__}>"


def _one(error: BaseException, depth: int = 0) -> str:
    name = type(error).__name__
    if isinstance(error, BrokerError):
        name = f"{name} {error.message!r}"
    elif isinstance(error, BaseExceptionGroup) and depth < _DEEPEST_GROUP:
        name = f"{name} of [{'; '.join(_one(inner, depth + 1) for inner in error.exceptions)}]"
    where = " > ".join(_places(error.__traceback__))
    return f"{name} at {where}" if where else name


def _places(trace: TracebackType | None) -> Iterator[str]:
    for frame, line in traceback.walk_tb(trace):
        yield f"{_short(frame.f_code.co_filename)}:{line} {frame.f_code.co_name}"


def _short(path: str) -> str:
    return "/".join(path.split("/")[-2:])


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "..."
