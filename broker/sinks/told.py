"""Which content of a token file its hook was told of last.

Owns: the record of that, a hidden file beside the token file, so that what one process published and did not live to
tell is told by the next. Refuses to know: hooks. It holds a hash of the content; where it cannot be kept, the worst
that follows is a program that is told once too often.
"""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from typing import Final

from broker.api import SinkError
from broker.sinks.directory import opened, parts
from broker.sinks.replacement import Access, replace

_PREFIX: Final = ".token-broker-told."
_ACCESS: Final = Access(mode=0o600)
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LONGEST_BYTES: Final = 64
_NOTHING: Final = b"nothing"


class Told:
    """Of the token file at `path`."""

    def __init__(self, path: str) -> None:
        self._directory, name = parts(path)
        self._name = _PREFIX + _digest(name.encode()).decode()

    def expect(self, directory: int) -> None:
        """There will be something to tell: let there be a record, so that its absence means something."""
        if self._read(directory) is None:
            self._write(directory, _NOTHING)

    def lacks(self, content: bytes, *, written: bool) -> bool:
        """Whether this content, just written or found in place, was not told.

        Without a record, what was found there is older than the hook, and nobody asked to be told of it.
        """
        try:
            with opened(self._directory, create=False) as directory:
                told = self._read(directory)
                if told is None and not written:
                    self._write(directory, _digest(content))
                    return False
                return told != _digest(content)
        except (OSError, SinkError):
            return written

    def remember(self, content: bytes) -> None:
        """This content was told."""
        with suppress(OSError, SinkError), opened(self._directory, create=False) as directory:
            self._write(directory, _digest(content))

    def forget(self) -> None:
        """The file is gone."""
        with suppress(OSError, SinkError), opened(self._directory, create=False) as directory:
            os.unlink(self._name, dir_fd=directory)

    def _read(self, directory: int) -> bytes | None:
        try:
            descriptor = os.open(self._name, _READ, dir_fd=directory)
        except OSError:
            return None
        try:
            status = os.fstat(descriptor)
            ours = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
            return os.read(descriptor, _LONGEST_BYTES) if ours else None
        finally:
            os.close(descriptor)

    def _write(self, directory: int, record: bytes) -> None:
        with suppress(OSError, SinkError):
            replace(directory, self._name, record, _ACCESS)


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest()[:16].encode()
