"""What lies around a token file: leftovers of killed processes, a disk instead of memory, too little room.

Owns: when to look, and what was said already. Refuses to know: publications, and how to remove or count.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Final

from broker.api import LifeCycle, Observer
from broker.sinks import mounts
from broker.sinks.directory import parts
from broker.sinks.leftovers import Leftovers

LOW_BYTES: Final = 64 * 1024
LOW_INODES: Final = 64
FRESH_SECONDS: Final = 60.0
"""How old a listing of the directory may be for a file's first publication."""

_on_disk: Final[set[str]] = set()
"""Directories that were warned about: one word is enough for a thousand tokens, and for the life of the process."""

_leftovers: Final = Leftovers()


class Surroundings:
    """Of the file at `path`. Nothing that is seen here hinders a publication: it raises no OSError."""

    __slots__ = ("_crowded", "_observer", "_path", "_unclean_since")

    def __init__(self, path: str, observer: Observer) -> None:
        self._path = path
        self._observer = observer
        self._unclean_since: float | None = time.monotonic() - FRESH_SECONDS
        """On the monotonic clock; None: nothing of this file can be left."""
        self._crowded = False

    def look(self, descriptor: int) -> None:
        """Clean up where there may be need to, and warn of what has not been warned of; before a publication."""
        with suppress(OSError):
            if self._unclean_since is not None:
                since, self._unclean_since = self._unclean_since, None
                self._look_at_kind(descriptor)
                _leftovers.remove(descriptor, parts(self._path)[1], since=since)
            self._look_at_room(descriptor)

    def disturbed(self) -> None:
        """A publication failed, and may have been unable to remove what it began."""
        self._unclean_since = time.monotonic()

    @property
    def _directory(self) -> str:
        return parts(self._path)[0]

    def _look_at_kind(self, descriptor: int) -> None:
        kind = mounts.file_system(descriptor)
        if kind is None or kind in mounts.MEMORY or self._directory in _on_disk:
            return
        _on_disk.add(self._directory)
        self._warn(
            f"{self._directory} is on {kind}, which is not a memory file system: tokens outlive a "
            "power cut there; publish below /run, or on a tmpfs"
        )

    def _look_at_room(self, descriptor: int) -> None:
        room = mounts.room(descriptor)
        crowded = (room.size_bytes is not None and room.size_bytes < LOW_BYTES) or (
            room.inodes is not None and room.inodes < LOW_INODES
        )
        if crowded and not self._crowded:
            left = [] if room.size_bytes is None else [f"{room.size_bytes // 1024} KiB"]
            left += [] if room.inodes is None else [f"{room.inodes} inodes"]
            self._warn(
                f"{self._directory} has {' and '.join(left)} left: free space there before the next token comes"
            )
        self._crowded = crowded

    def _warn(self, message: str) -> None:
        self._observer(LifeCycle(phase="warning", message=message))
