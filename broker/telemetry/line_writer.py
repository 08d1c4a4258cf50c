"""Lines to a stream that may block, fill up or go away, without anybody waiting for it (F-53).

Owns: a bounded queue, the daemon thread that empties it, the count of lines that found no room. Refuses to
know: what a line says.
"""

from __future__ import annotations

import os
import queue
import select
import threading
from collections.abc import Callable
from typing import Final, TextIO

MOST_WAITING: Final = 4_096
_ASK_AGAIN_SECONDS: Final = 1.0


class LineWriter:
    """Takes lines from any thread, signal handlers and finalizers included; never blocks, never raises."""

    def __init__(self, stream: TextIO, *, notice: Callable[[int], str]) -> None:
        self._write = _writing_to(stream)
        self._notice = notice
        # Not queue.Queue, whose lock a finalizer that logs would wait for in its own thread for ever.
        self._waiting: queue.SimpleQueue[str | threading.Event | None] = queue.SimpleQueue()
        self._unreported = 0
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def put(self, line: str) -> None:
        """Write the line some time soon, or count it as dropped."""
        if self._waiting.qsize() >= MOST_WAITING:
            self.drop()
        else:
            self._waiting.put(line)

    def drop(self) -> None:
        """Count a line that is lost; the next one that gets through is preceded by a notice."""
        self.dropped += 1
        self._unreported += 1

    def flush(self, *, deadline_seconds: float) -> bool:
        """Whether all that was put before is written, or given up on, within the deadline."""
        passed = threading.Event()
        self._waiting.put(passed)
        return passed.wait(deadline_seconds)

    def close(self, *, deadline_seconds: float) -> None:
        """Write what waits, as far as the deadline allows; the thread is left alone if it hangs."""
        self._waiting.put(None)
        self._thread.join(deadline_seconds)

    def _run(self) -> None:
        while (item := self._waiting.get()) is not None:
            if isinstance(item, threading.Event):
                item.set()
                continue
            if self._unreported:
                lost, self._unreported = self._unreported, 0
                self._try(self._notice(lost))
            self._try(item)

    def _try(self, line: str) -> None:
        try:
            self._write(line + "\n")
        except (OSError, ValueError):  # gone, full, closed
            self.dropped += 1


def _writing_to(stream: TextIO) -> Callable[[str], object]:
    """Past Python's buffers where there is a descriptor.

    A thread that hangs inside a buffered writer holds its lock, and an interpreter that ends then aborts.
    """
    try:
        descriptor = stream.fileno()
    except (OSError, AttributeError):
        return stream.write
    return lambda text: _write_all(descriptor, text.encode("utf-8", "backslashreplace"))


def _write_all(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:  # somebody we share it with made it non-blocking
            select.select([], [descriptor], [], _ASK_AGAIN_SECONDS)
