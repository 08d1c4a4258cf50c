"""Which boot of this machine it is.

Owns: the kernel's boot id. While it is the same, the boot clock of another process counts the same seconds. Refuses to
know: who compares.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str | None:
    """A UUID, or None where the system tells none."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip() or None
    except (OSError, ValueError):
        return None
