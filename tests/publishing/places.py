"""Directories for these tests: with short paths, in memory where publications shall be frequent.

Owns: making and removing them. Refuses to know: what they are for.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

SHARED_MEMORY: Final = Path("/dev/shm")


@contextmanager
def short_directory() -> Iterator[Path]:
    """Close to the root: each component is a few system calls more."""
    yield from _made(None)


@contextmanager
def memory_directory() -> Iterator[Path]:
    """On a memory file system, where there is one: nothing waits for a disk."""
    yield from _made(SHARED_MEMORY if SHARED_MEMORY.is_dir() else None)


def _made(parent: Path | None) -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="publishing-", dir=parent))
    try:
        yield place
    finally:
        shutil.rmtree(place)
