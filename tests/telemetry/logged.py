"""The log as a reader of standard error sees it, for tests of the logs.

Owns: a stream in memory with logging set up on it. Refuses to know: what is expected.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from broker.telemetry.logs import Format, Level, Logging, configure


class Log:
    """What was written so far."""

    def __init__(self, logging: Logging, stream: io.StringIO) -> None:
        self.logging = logging
        self._stream = stream

    @property
    def text(self) -> str:
        """All of it."""
        self.logging.flush()
        return self._stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Each line as JSON."""
        return [json.loads(line) for line in self.text.splitlines()]

    @property
    def line(self) -> dict[str, Any]:
        """The only line."""
        (only,) = self.lines
        return only


@contextmanager
def logged(level: Level = "debug", format: Format = "json") -> Iterator[Log]:  # noqa: A002 - the key's name
    """Logging set up, and put back."""
    stream = io.StringIO()
    logging = configure(level, format, stream=stream)
    try:
        yield Log(logging, stream)
    finally:
        logging.close()
