"""How much memory a process takes from the machine.

Owns: reading it. Refuses to know: whose it is.
"""

from __future__ import annotations

import re
from pathlib import Path


def private_kib(pid: int) -> float:
    """Proportional set size: what this process alone adds; where the kernel does not tell, what is resident."""
    try:
        return _kib(Path(f"/proc/{pid}/smaps_rollup"), "Pss")
    except OSError:
        return _kib(Path(f"/proc/{pid}/status"), "VmRSS")


def anonymous_kib(pid: int) -> float:
    """The part of it that no file backs: all that data adds, whoever else maps the same libraries meanwhile."""
    try:
        return _kib(Path(f"/proc/{pid}/smaps_rollup"), "Pss_Anon")
    except (OSError, AssertionError):
        return _kib(Path(f"/proc/{pid}/status"), "RssAnon")


def _kib(file: Path, name: str) -> float:
    found = re.search(rf"^{name}:\s+(\d+) kB", file.read_text(), re.MULTILINE)
    assert found is not None
    return float(found[1])
