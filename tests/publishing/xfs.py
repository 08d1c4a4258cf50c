"""mkfs.xfs: the host's own, or that of Debian's packages in the cache.

Owns: finding and fetching it. Refuses to know: what is done with the file system.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from tests.cache import cached, missing

PACKAGES: Final = ("xfsprogs", "libinih1", "liburcu8")
SMALLEST_BYTES: Final = 304 * 1024 * 1024
"""mkfs.xfs makes none below 300 MB."""
HOW_TO_INSTALL: Final = "apt-get install xfsprogs"


def make_xfs(image: Path) -> None:
    """Make a file system on this file."""
    own = shutil.which("mkfs.xfs")
    if own is not None:
        subprocess.run([own, "-q", "-f", image], check=True)
        return
    place = cached("xfsprogs", " ".join(PACKAGES), _fetch)
    libraries = ":".join(sorted({str(path.parent) for path in place.rglob("lib*.so*")}))
    subprocess.run(
        [place / "sbin" / "mkfs.xfs", "-q", "-f", image],
        check=True,
        env={"PATH": os.defpath, "LD_LIBRARY_PATH": libraries},
    )


def _fetch(place: Path) -> None:
    if shutil.which("apt-get") is None:
        missing("mkfs.xfs", HOW_TO_INSTALL)
    done = subprocess.run(
        ["apt-get", "download", "-qq", *PACKAGES], cwd=place, capture_output=True, text=True, check=False
    )
    if done.returncode:
        missing(f"mkfs.xfs ({done.stderr.strip()[-200:]})", HOW_TO_INSTALL)
    for package in place.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, place], check=True)
