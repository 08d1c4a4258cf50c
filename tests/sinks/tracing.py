"""strace attached to a running process: its system calls recorded, one of them made to fail or to kill.

Owns: the strace command lines and their output. Refuses to know: what is traced.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cache import require
from tests.waiting import eventually


@contextmanager
def traced(pid: int, output: Path, *options: str) -> Iterator[None]:
    """Trace `pid` into `output`, file descriptors with their paths, until the block ends."""
    strace = require("strace", "apt-get install strace")
    notices = output.with_suffix(".notices")
    with (
        notices.open("wb") as log,
        subprocess.Popen([strace, "-y", "-o", output, "-p", str(pid), *options], stderr=log) as process,
    ):
        try:
            eventually(
                lambda: "attached" in notices.read_text() or process.poll() is not None,
                what="strace attached",
            )
            assert process.poll() is None, notices.read_text()
            yield
        finally:
            process.terminate()
