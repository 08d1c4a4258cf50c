"""Who a file or directory belongs to, and who else may change it.

Owns: the judgement and the words. Refuses to know: what follows from it.
"""

from __future__ import annotations

import os
import pwd
import stat


def foreign_writers(status: os.stat_result) -> str | None:
    """Who may write besides the owner: `others`, or a group that is not just the owner's own."""
    if status.st_mode & stat.S_IWOTH:
        return "others"
    if status.st_mode & stat.S_IWGRP and status.st_gid != _primary_group(status.st_uid):
        return f"group {status.st_gid}"
    return None


def access(status: os.stat_result) -> str:
    """Owner and mode, for messages."""
    return f"owner {user(status.st_uid)}, mode {stat.S_IMODE(status.st_mode):04o}"


def user(uid: int) -> str:
    """A name for messages."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _primary_group(uid: int) -> int | None:
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:  # containers run under user ids without an entry
        return os.getegid() if uid == os.geteuid() else None
