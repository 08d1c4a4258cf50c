"""Other users at work on a socket: `clients.py` started, waited for, ended.

Owns: those processes, and what they cost the daemon. Refuses to know: what a test wants of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

PROGRAM: Final = Path(__file__).with_name("clients.py")
READER_UID: Final = 1
READER: Final = "daemon"
"""Both the name and the number are the same on every Linux system."""
CROWD_UID: Final = 7_001
_SECONDS: Final = 120.0


class Clients:
    """One process of clients."""

    def __init__(self, kind: str, path: Path, *, uid: int, count: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(PROGRAM), kind, str(path), str(uid), str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert "ready\n" == self._process.stdout.readline()

    @property
    def pid(self) -> int:
        return self._process.pid

    def ended(self) -> dict[str, Any]:
        """What it saw; has it end, if it does not by itself."""
        output, _ = self._process.communicate("", timeout=_SECONDS)
        assert 0 == self._process.returncode
        found: dict[str, Any] = json.loads(output)
        return found

    def kill(self) -> None:
        """Have it gone, whatever happened."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


@contextmanager
def clients(kind: str, path: Path, *, uid: int, count: int) -> Iterator[Clients]:
    """Clients of this kind at work."""
    running = Clients(kind, path, uid=uid, count=count)
    try:
        yield running
    finally:
        running.kill()


def asking(path: Path, count: int) -> dict[str, Any]:
    """What a reader with every right is answered, so many times."""
    with clients("asks", path, uid=READER_UID, count=count) as reader:
        return reader.ended()


class Process(Protocol):
    """Whatever serves."""

    @property
    def pid(self) -> int:
        """Its number."""
        ...


def descriptors(process: Process) -> set[int]:
    """Those that it has open."""
    return {int(entry.name) for entry in Path(f"/proc/{process.pid}/fd").iterdir()}


def cpu_seconds(process: Process) -> float:
    """What its threads have used up to now, in user and kernel mode."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(process: Process) -> int:
    """Its memory."""
    fields = Path(f"/proc/{process.pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")
