"""What killed processes left in a directory of token files: temporary files that nobody will ever put in their place.

Owns: which of them may be removed, and that the files of one directory share a listing of it: ten thousand listings
of ten thousand files would be most of a start. Refuses to know: how temporary files come to be (`replacement`), when
there is cause to look (`surroundings`).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from broker.sinks.replacement import PREFIX, temporaries_of

ABANDONED_AFTER_SECONDS: Final = 3600.0
MOST_LISTINGS: Final = 64

_Place = tuple[int, int]
"""Device and inode of a directory."""


@dataclass(frozen=True, slots=True)
class _Listing:
    taken: float
    """On the monotonic clock, before it began."""
    entries: Mapping[str, list[str]]
    """Temporary files by the beginning that those of one file share."""


class Leftovers:
    """In all directories that this process publishes into. Thread-safe; its methods raise OSError."""

    def __init__(self) -> None:
        self._listings: dict[_Place, _Listing] = {}
        self._lock = threading.Lock()

    def remove(self, directory: int, name: str, *, since: float) -> None:
        """Remove the temporary files of `name` as listed `since` then, on the monotonic clock, or now.

        Whoever lists removes those of other files as well that are an hour old.
        """
        status = os.fstat(directory)
        place = status.st_dev, status.st_ino
        listing = self._listings.get(place)
        if listing is None or listing.taken < since:
            listing = _listed(directory)  # without the lock: a file system may hang
            self._keep(place, listing)
        for entry in listing.entries.get(temporaries_of(name), ()):
            _remove(directory, entry, older_than_seconds=float("-inf"))

    def _keep(self, place: _Place, listing: _Listing) -> None:
        with self._lock:
            self._listings.pop(place, None)
            while len(self._listings) >= MOST_LISTINGS:
                del self._listings[next(iter(self._listings))]
            self._listings[place] = listing


def _listed(directory: int) -> _Listing:
    taken = time.monotonic()
    entries: dict[str, list[str]] = {}
    for entry in os.listdir(directory):
        if entry.startswith(PREFIX):
            _remove(directory, entry, older_than_seconds=ABANDONED_AFTER_SECONDS)
            entries.setdefault(entry[: len(temporaries_of(""))], []).append(entry)
    return _Listing(taken, entries)


def _remove(directory: int, entry: str, *, older_than_seconds: float) -> None:
    with suppress(OSError):
        status = os.stat(entry, dir_fd=directory, follow_symlinks=False)
        old_enough = time.time() - status.st_mtime >= older_than_seconds
        if status.st_uid == os.geteuid() and old_enough:
            os.unlink(entry, dir_fd=directory)
