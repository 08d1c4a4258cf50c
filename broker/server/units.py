"""The systemd unit that a connected process belongs to, in the sense of sd_pid_get_unit(3).

Owns: the reading of /proc/PID/cgroup (cgroups(7)) and the proof that it was this process's (R-133). Refuses to know:
rules, and what a user manager or a delegated subtree calls its parts: the first component below the slices at the
root of the hierarchy is the unit, whatever follows.
"""

from __future__ import annotations

import os
import re
import select
import socket
from pathlib import Path
from typing import Final

_SO_PEERPIDFD: Final = 77  # Linux 6.5, asm-generic/socket.h; Python has no name for it
_HIERARCHIES: Final = (
    "",
    "name=systemd",
)  # the unified one, and systemd's own in the legacy and hybrid layouts
_MAX_NAME_CHARACTERS: Final = 255

_NAME = re.compile(
    r"[A-Za-z0-9:_.\\-]+(?:@[A-Za-z0-9:_.\\@-]+)?"
    r"\.(service|scope|socket|mount|swap|target|device|automount|timer|path|slice)",
    re.ASCII,
)


class PeerUnit:
    """The unit of the process at the other end, looked up when first asked for."""

    __slots__ = ("_connection", "_pid", "_read", "_unit")

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self._connection = connection
        self._pid = pid
        self._read = False
        self._unit: str | None = None

    def __call__(self) -> str | None:
        """Its name, or None where the kernel cannot prove one."""
        if not self._read:
            self._read = True
            self._unit = _proven(self._connection, self._pid)
        return self._unit


def system_unit(cgroups: str) -> str | None:
    """The unit that the text of a /proc/PID/cgroup names; None if it names none, or two."""
    units = set()
    for line in cgroups.splitlines():
        _, _, rest = line.partition(":")
        hierarchy, _, path = rest.partition(":")
        if hierarchy in _HIERARCHIES and path != "/":
            units.add(_unit_of(path))
    return units.pop() if len(units) == 1 else None


def _unit_of(path: str) -> str | None:
    root, *components = path.split("/")
    if root:
        return None
    for component in components:
        name = component.removeprefix("_")  # how systemd escapes what cgroupfs has a meaning for
        match = _NAME.fullmatch(name)
        if match is None or len(name) > _MAX_NAME_CHARACTERS:
            return None
        if match[1] != "slice":
            return name
    return None


def _proven(connection: socket.socket, pid: int) -> str | None:
    try:
        descriptor = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD)
    except OSError:
        return None  # an older kernel, or a process that is long gone
    try:
        text = Path(f"/proc/{pid}/cgroup").read_text(errors="replace")
    except OSError:
        return None  # gone, or hidden from us: proc(5), hidepid
    else:
        # Alive now means alive then: the number was not another process's when it was read.
        return system_unit(text) if not _ended(descriptor) else None
    finally:
        os.close(descriptor)


def _ended(descriptor: int) -> bool:
    """Whether the process of a pidfd has ended, zombies included: pidfd_open(2)."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
