"""Which file system holds a directory, and what room it has left.

Owns: the look-up by mount id, which holds where device numbers do not (btrfs, overlay). Refuses to know:
what follows from the answer.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MEMORY: Final = frozenset({"tmpfs", "ramfs"})


def file_system(descriptor: int) -> str | None:
    """The type of the file system of an open directory; None where the kernel does not say."""
    try:
        facts = Path(f"/proc/self/fdinfo/{descriptor}").read_text(encoding="ascii")
        mount_id = next(line.split()[1] for line in facts.splitlines() if line.startswith("mnt_id:"))
        for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            mount, separator, kind = line.partition(" - ")
            if separator and mount.split()[0] == mount_id:
                return kind.split()[0]
    except (OSError, StopIteration, IndexError):
        return None
    return None


@dataclass(frozen=True, slots=True)
class Room:
    """What may still be written; None where the file system has no such limit, or does not count."""

    size_bytes: int | None
    inodes: int | None


def room(descriptor: int) -> Room:
    """What is left on the file system of an open directory. Raises OSError."""
    found = os.fstatvfs(descriptor)
    return Room(
        size_bytes=found.f_bavail * found.f_frsize if found.f_blocks else None,
        inodes=found.f_favail if found.f_files else None,
    )
