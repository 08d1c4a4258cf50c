"""Who else may read or change a secret's files, in words: always the path, the mode, and what to do.

Owns: the judgement. Refuses to know: what is done about it; a warning never stops a read, since the files of a mounted
Kubernetes Secret are 0644.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path


def warning(path: Path, mode: int) -> str | None:
    """What is wrong with a file or directory of this mode; None if nothing is."""
    bits = f"(mode {stat.S_IMODE(mode):04o})"
    if stat.S_ISDIR(mode):
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            return f"in {path} everybody can replace secrets {bits}: chmod o-w"
        return None
    if mode & stat.S_IWOTH:
        return f"{path} can be changed by everybody {bits}: chmod o-rwx"
    if mode & stat.S_IROTH:
        return f"{path} can be read by everybody {bits}: chmod o-r, or make it 0600 where it is mounted"
    return None


def denial(path: Path) -> str:
    """Why this process may not read a file: what it is, or the directory that cannot be entered."""
    me = f"the broker's user (uid {os.geteuid()})"
    for place in (path, *path.parents):
        try:
            about = place.lstat()
        except OSError:
            continue
        verb = "read" if place == path else "enter"
        return (
            f"{me} may not {verb} {place} (mode {stat.S_IMODE(about.st_mode):04o}, owner uid {about.st_uid})"
        )
    return f"{me} may not read {path}"
