"""An ext4 file system whose disk loses what was not flushed, and the power cut.

Owns: two images, one in the other. Programs write to the inner file system. What it sends to its disk stays in the page
cache of the outer file system until the inner one flushes, as in the volatile cache of a real disk; the outer image is
what had reached the medium. A power cut is a copy of that image, mounted again: journals are replayed, nothing else is
left. Refuses to know: what is written. Not modelled: a disk that kept some of its cache and lost the rest.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.cache import missing, require

MIB: Final = 1024 * 1024
OUTER_BYTES: Final = 32 * MIB
INNER_BYTES: Final = 12 * MIB
INNER: Final = "inner.img"
# No commit by the clock while a test runs; no rescue of programs that rename without fsync, which ext4 alone has.
LAZY: Final = "commit=300,noauto_da_alloc"


class Disk:
    """The file system that is written to, and its power cuts."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self.files = place / "files"
        """Where programs write."""

    @contextmanager
    def powered(self) -> Iterator[None]:
        """The file systems made and mounted."""
        outer = self._image(self._place / "outer.img", OUTER_BYTES)
        with mounted(outer, self._place / "outer", LAZY) as medium:
            inner = self._image(medium / INNER, INNER_BYTES)
            os.sync()
            with mounted(inner, self.files, LAZY):
                yield

    @contextmanager
    def after_power_cut(self) -> Iterator[Path]:
        """The files as they are found when power went off now and came back."""
        survived = self._place / "survived.img"
        shutil.copyfile(self._place / "outer.img", survived)
        with (
            mounted(survived, self._place / "survived", "defaults") as medium,
            mounted(medium / INNER, self._place / "found", "defaults") as files,
        ):
            yield files

    def let_a_bystander_sync(self) -> None:
        """Another program's fsync commits the journal: all names that changed, but not the data of others' files."""
        with (self.files / "bystander").open("ab") as file:
            file.write(b".")
            file.flush()
            os.fsync(file.fileno())

    @staticmethod
    def _image(path: Path, size: int) -> Path:
        path.write_bytes(bytes(size))
        subprocess.run(
            [require("mkfs.ext4", "apt-get install e2fsprogs"), "-q", "-F", "-b", "1024", path], check=True
        )
        return path


@contextmanager
def mounted(image: Path, at: Path, options: str) -> Iterator[Path]:
    """An image behind a loop device, mounted."""
    at.mkdir(exist_ok=True)
    if os.geteuid():
        missing("the right to mount", "run as root")
    done = subprocess.run(
        ["mount", "-t", "ext4", "-o", f"loop,{options}", image, at],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        missing("a loop device with ext4", f"modprobe loop ext4 ({done.stderr.strip()})")
    try:
        yield at
    finally:
        subprocess.run(["umount", at], check=True)
