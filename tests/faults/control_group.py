"""A control group of our own, to take memory or CPU time away from a process (cgroups(7), version 1 or 2).

Owns: making it, its limits, its end. Refuses to know: who is put in. Needs root and a writable cgroup file system.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Self

from tests.cache import forbidden

PLACE = Path("/sys/fs/cgroup")
PERIOD_MICROSECONDS = 100_000


class ControlGroup:
    """For one controller, `memory` or `cpu`."""

    def __init__(self, controller: str) -> None:
        version_1 = PLACE / controller
        self._is_version_1 = version_1.is_dir()
        self._path = (
            version_1 if self._is_version_1 else PLACE
        ) / f"token-broker-test-{secrets.token_hex(4)}"

    def __enter__(self) -> Self:
        try:
            if not self._is_version_1:
                (PLACE / "cgroup.subtree_control").write_text("+memory +cpu")
            self._path.mkdir()
        except OSError as error:
            forbidden(f"a control group ({self._path}: {error.strerror})")
        return self

    def __exit__(self, *_: object) -> None:
        parent = self._path.parent / "cgroup.procs"
        for pid in (self._path / "cgroup.procs").read_text().split():
            parent.write_text(pid)
        self._path.rmdir()

    def add(self, pid: int) -> None:
        """Move a process here, with all its threads."""
        (self._path / "cgroup.procs").write_text(str(pid))

    def limit_memory(self, limit_bytes: int) -> None:
        """What its processes may use together, from now on."""
        name = "memory.limit_in_bytes" if self._is_version_1 else "memory.max"
        (self._path / name).write_text(str(limit_bytes))

    def limit_cpu(self, fraction: float) -> None:
        """Of one CPU."""
        quota = int(PERIOD_MICROSECONDS * fraction)
        if self._is_version_1:
            (self._path / "cpu.cfs_period_us").write_text(str(PERIOD_MICROSECONDS))
            (self._path / "cpu.cfs_quota_us").write_text(str(quota))
        else:
            (self._path / "cpu.max").write_text(f"{quota} {PERIOD_MICROSECONDS}")
