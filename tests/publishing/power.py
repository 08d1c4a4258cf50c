"""A file system whose disk loses what was not flushed, and the power cut.

Owns: two images, one in the other, the outer with ext4. Programs write to the inner file system. What it sends to its
disk stays in the page cache of the outer one until the inner one flushes, as in the volatile cache of a real disk; the
outer image is what had reached the medium. A power cut is a copy of that image, mounted again: journals are replayed,
nothing else is left. Refuses to know: what is written. Not modelled: a disk that kept some of its cache and lost the
rest.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from tests.cache import forbidden, require
from tests.publishing.xfs import SMALLEST_BYTES, make_xfs
from tests.waiting import eventually

MIB: Final = 1024 * 1024
INNER: Final = "inner.img"

Kind = Literal["ext4", "xfs"]

_SIZES: Final[dict[Kind, int]] = {"ext4": 12 * MIB, "xfs": SMALLEST_BYTES}
_OUTER_BYTES_MORE: Final = 32 * MIB
# No commit by the clock while a test runs; no rescue of programs that rename without fsync, which ext4 alone has.
_LAZY: Final[dict[Kind, str]] = {"ext4": "commit=300,noauto_da_alloc", "xfs": "defaults"}


class Disk:
    """The file system that is written to, and its power cuts."""

    def __init__(self, place: Path, kind: Kind) -> None:
        self._place = place
        self._kind: Kind = kind
        self.files = place / "files"
        """Where programs write."""

    @contextmanager
    def powered(self) -> Iterator[None]:
        """The file systems made and mounted."""
        outer = _image(self._place / "outer.img", "ext4", _SIZES[self._kind] + _OUTER_BYTES_MORE)
        with mounted(outer, self._place / "outer", "ext4", _LAZY["ext4"]) as medium:
            inner = _image(medium / INNER, self._kind, _SIZES[self._kind])
            os.sync()
            with mounted(inner, self.files, self._kind, _LAZY[self._kind]):
                yield

    @contextmanager
    def after_power_cut(self) -> Iterator[Path]:
        """The files as they are found when power went off now and came back."""
        survived = self._place / "survived.img"
        subprocess.run(["cp", "--sparse=always", self._place / "outer.img", survived], check=True)
        # xfs refuses to mount a twin of what is mounted.
        twin = "nouuid" if self._kind == "xfs" else "defaults"
        with (
            mounted(survived, self._place / "survived", "ext4", "defaults") as medium,
            mounted(medium / INNER, self._place / "found", self._kind, twin) as files,
        ):
            yield files

    def let_a_bystander_sync(self) -> None:
        """Another program's fsync commits the journal: all names that changed, but not the data of others' files."""
        with (self.files / "bystander").open("ab") as file:
            file.write(b".")
            file.flush()
            os.fsync(file.fileno())


def _image(path: Path, kind: Kind, size_bytes: int) -> Path:
    path.touch()
    os.truncate(path, size_bytes)
    if kind == "xfs":
        make_xfs(path)
    else:
        mkfs = require("mkfs.ext4", "apt-get install e2fsprogs")
        subprocess.run([mkfs, "-q", "-F", "-b", "1024", path], check=True)
    return path


@contextmanager
def mounted(image: Path, at: Path, kind: Kind, options: str) -> Iterator[Path]:
    """An image behind a loop device, mounted."""
    at.mkdir(exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", kind, "-o", f"loop,{options}", image, at],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        forbidden(f"a loop device with {kind} ({done.stderr.strip()})")
    try:
        yield at
    finally:
        # A loop device lets go of the file behind it a moment after it was unmounted.
        eventually(
            lambda: subprocess.run(["umount", at], check=False).returncode == 0, what=f"{at} unmounted"
        )
