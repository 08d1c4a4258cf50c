"""Directories for these tests: with short paths, in memory, or on a file system that is easily full.

Owns: making and removing them, mounting and unmounting. Refuses to know: what they are for.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.cache import forbidden

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


@contextmanager
def tmpfs(at: Path, options: str) -> Iterator[Path]:
    """A file system in memory with these options, mounted where everybody sees it; `at` is made."""
    at.mkdir(parents=True, exist_ok=True)
    try:
        mount(at, options)
    except subprocess.CalledProcessError:
        forbidden("mounting a tmpfs")
    try:
        yield at
    finally:
        subprocess.run(["umount", at], check=True)


def mount(at: Path, options: str) -> None:
    """Mount a tmpfs; or, with `remount`, change one."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"mode=0755,{options}", "tmpfs", at], check=True)
