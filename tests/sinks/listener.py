"""A process that waits for SIGHUP and writes down that it came.

Owns: the process. Refuses to know: who signals it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

LISTENER: Final = """trap 'echo HUP > "$1"' HUP; echo listening; while :; do read line; done"""
"""A shell, since another user may be unable to reach our interpreter; `read` waits on a pipe that stays open."""


@contextmanager
def listening(received: Path, *, user: int | None = None) -> Iterator[int]:
    """A process that writes down that it got SIGHUP; its number."""
    with subprocess.Popen(
        ["/bin/sh", "-c", LISTENER, "sh", str(received)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        user=user,
    ) as process:
        assert process.stdout is not None
        try:
            assert b"listening\n" == process.stdout.readline()
            yield process.pid
        finally:
            process.kill()
