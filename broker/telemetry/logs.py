"""Logging, set up once for the process: standard error, one handler, libraries kept quiet.

Owns: levels, the handler, the order in which it is torn down. Refuses to know: what is logged. No record of a
library below WARNING is ever written, whatever the root logger's level: botocore prints secrets at DEBUG.
"""

from __future__ import annotations

import atexit
import logging
import sys
from collections.abc import Callable
from typing import Final, Literal, TextIO

from broker.telemetry import hooks
from broker.telemetry.event_log import LogObserver
from broker.telemetry.hooks import asyncio_exception_handler
from broker.telemetry.line_writer import LineWriter
from broker.telemetry.lines import JsonFormatter, TextFormatter, is_ours

__all__ = ["LogObserver", "Logging", "asyncio_exception_handler", "configure", "pin_libraries"]

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["json", "text"]

LIBRARIES: Final = (
    "asyncio",
    "boto3",
    "botocore",
    "httpcore2",
    "httpx2",
    "hvac",
    "requests",
    "s3transfer",
    "urllib3",
)
_FLUSH_SECONDS: Final = 1.0


class Logging:
    """What `configure` set up; `close` gives everything back."""

    def __init__(self, level: Level, format: Format, stream: TextIO) -> None:  # noqa: A002 - the key's name
        root = logging.getLogger()
        self._level_before = root.level
        self._handler = _Handler(stream, owner=self)
        self.change(level, format)
        root.addHandler(self._handler)
        self._restore_hooks: Callable[[], None] = hooks.install()
        atexit.register(self.close)

    def change(self, level: Level, format: Format) -> None:  # noqa: A002 - the key's name
        """Another level or format from now on: a reload."""
        self._handler.setFormatter(JsonFormatter() if format == "json" else TextFormatter())
        self._handler.setLevel(level.upper())
        logging.getLogger().setLevel(level.upper())

    def flush(self) -> None:
        """Wait until what was logged is written, but not for long."""
        self._handler.writer.flush(deadline_seconds=_FLUSH_SECONDS)

    def close(self) -> None:
        """Write what waits and put everything back; idempotent."""
        atexit.unregister(self.close)
        root = logging.getLogger()
        if self._handler in root.handlers:
            root.removeHandler(self._handler)
            root.setLevel(self._level_before)
            self._restore_hooks()
            self._handler.writer.close(deadline_seconds=_FLUSH_SECONDS)

    @property
    def dropped(self) -> int:
        """Lines that were lost."""
        return self._handler.writer.dropped


def configure(level: Level, format: Format, *, stream: TextIO | None = None) -> Logging:  # noqa: A002 - the key's name
    """Log to `stream`, by default standard error, until the answer is closed or the process ends.

    A second call, as a reload makes it, changes what the first one set up.
    """
    pin_libraries()
    for handler in logging.getLogger().handlers:
        if isinstance(handler, _Handler):
            if stream is None or stream is handler.stream:
                handler.owner.change(level, format)
                return handler.owner
            handler.owner.close()
            break
    return Logging(level, format, sys.stderr if stream is None else stream)


def pin_libraries() -> None:
    """Keep the libraries that handle secrets at WARNING, whoever sets the root logger to what."""
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)


class _Handler(logging.Handler):
    def __init__(self, stream: TextIO, *, owner: Logging) -> None:
        super().__init__()
        self.stream = stream
        self.owner = owner
        self.writer = LineWriter(stream, notice=self._notice)

    def filter(self, record: logging.LogRecord) -> bool:
        return is_ours(record.name) or record.levelno >= logging.WARNING

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.writer.put(self.format(record))
        except Exception:  # noqa: BLE001 - logging's own handleError prints the arguments
            self.writer.drop()

    def _notice(self, lost: int) -> str:
        record = logging.LogRecord(
            __name__, logging.WARNING, __file__, 0, "%d log lines were lost", (lost,), None
        )
        record.event, record.lost = "log_lines_lost", lost
        return self.format(record)
