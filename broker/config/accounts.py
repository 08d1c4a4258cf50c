"""The users and groups of this system.

Owns: the look-ups, which may ask a directory service and block; so they happen once, at load. Refuses to
know: who may do what.
"""

from __future__ import annotations

import grp
import pwd
from typing import Protocol


class Accounts(Protocol):
    """Whether a name in the configuration is somebody."""

    def uid(self, user: str) -> int | None:
        """The user's number; None if there is no such user."""
        ...

    def gid(self, group: str) -> int | None:
        """The group's number; None if there is no such group."""
        ...


class SystemAccounts:
    """Accounts as the C library knows them: /etc/passwd, or whatever nsswitch.conf says."""

    def uid(self, user: str) -> int | None:
        try:
            return pwd.getpwnam(user).pw_uid
        except (KeyError, ValueError):  # ValueError: a NUL in the name
            return None

    def gid(self, group: str) -> int | None:
        try:
            return grp.getgrnam(group).gr_gid
        except (KeyError, ValueError):
            return None
