"""Which paths are one and the same place.

Owns: the comparison of output paths through symbolic links, which asks the file system. Refuses to know:
what is written there.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def directory_entry(path: str) -> str:
    """The name under which a file is replaced: its directory with links followed, but not the file's own.

    Two paths with one answer are one directory entry. Where the file system ignores case, as on macOS, so
    does this.
    """
    place = str(Path(os.path.realpath(Path(path).parent)) / Path(path).name)
    return place.casefold() if sys.platform == "darwin" else place
