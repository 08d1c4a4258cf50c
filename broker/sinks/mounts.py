"""Which file system holds a directory, as Linux tells it.

Owns: the look-up by mount id, which holds where device numbers do not (btrfs, overlay). Refuses to know:
what follows from the answer.
"""

from __future__ import annotations

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
