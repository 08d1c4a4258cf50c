"""Who is asking, as the kernel knows it, and whether a rule lets them read.

Owns: peer credentials of Unix stream sockets (SO_PEERCRED, SO_PEERGROUPS), the rule of one token and the
decision. Refuses to know: tokens, HTTP, how a unit is found. Credentials are those at connect() time: privileges
dropped later, or a descriptor passed on, still count as the connector's (R-134).
"""

from __future__ import annotations

import grp
import pwd
import socket
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

from broker.server.units import PeerUnit

_SO_PEERGROUPS = 59  # asm-generic/socket.h; Python has no name for it
_UCRED = struct.Struct("=iII")
_GROUPS_BYTES = 1024  # the most that getsockopt takes in Python: 256 supplementary groups
_DEFAULT_OVERFLOW_ID = 65534


class Peer(msgspec.Struct, frozen=True, eq=False):
    """A connected process. `known` is False where the kernel cannot tell who or which it is (R-132).

    What costs a look-up is a function, and is asked only where a rule depends on it.
    """

    uid: int
    gids: Callable[[], frozenset[int]]
    pid: int
    known: bool
    unit: Callable[[], str | None]
    """Its system unit where the kernel can prove it."""


@dataclass(frozen=True, slots=True)
class OverflowIds:
    """What the kernel reports for users and groups that do not exist in our user namespace."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRule:
    """Who may read one token besides root and our own user; `units` are exact, `a@.service` any instance."""

    uids: frozenset[int] = frozenset()
    gids: frozenset[int] = frozenset()
    units: frozenset[str] = frozenset()

    @classmethod
    def from_names(
        cls, *, users: Iterable[str] = (), groups: Iterable[str] = (), units: Iterable[str] = ()
    ) -> AccessRule:
        """Look the names up now. KeyError for one that this system does not know."""
        return cls(
            uids=frozenset(pwd.getpwnam(user).pw_uid for user in users),
            gids=frozenset(grp.getgrnam(group).gr_gid for group in groups),
            units=frozenset(units),
        )


def may_read(peer: Peer, rule: AccessRule, *, own_uid: int) -> bool:
    """The decision, from kernel facts only; deny by default."""
    if not peer.known:
        return False
    if peer.uid in (0, own_uid) or peer.uid in rule.uids:
        return True
    if rule.gids and not rule.gids.isdisjoint(peer.gids()):
        return True
    return bool(rule.units) and unit_may_read(peer.unit(), rule)


def unit_may_read(unit: str | None, rule: AccessRule) -> bool:
    """Whether a system unit is allowed, by its own name or by its template's."""
    if unit is None or unit in rule.units:
        return unit is not None
    prefix, at, rest = unit.partition("@")
    instance, _, suffix = rest.rpartition(".")
    return bool(at and instance) and f"{prefix}@.{suffix}" in rule.units


def read_peer(connection: socket.socket, overflow: OverflowIds) -> Peer:
    """Credentials of the process that connected. OSError if the socket is not a connected Unix socket."""
    pid, uid, gid = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    known = pid != 0 and uid != overflow.uid
    return Peer(uid, partial(_gids, connection, gid, overflow), pid, known, PeerUnit(connection, pid))


def overflow_ids() -> OverflowIds:
    """Read once at start: the numbers can be configured."""
    return OverflowIds(
        _overflow_id(Path("/proc/sys/kernel/overflowuid")), _overflow_id(Path("/proc/sys/kernel/overflowgid"))
    )


def _gids(connection: socket.socket, gid: int, overflow: OverflowIds) -> frozenset[int]:
    return frozenset((gid, *_supplementary_groups(connection))) - {overflow.gid}


def _supplementary_groups(connection: socket.socket) -> tuple[int, ...]:
    try:
        packed = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _GROUPS_BYTES)
    except OSError:
        return ()  # more than 256, or a kernel before 4.13: fewer rights, never more
    return struct.unpack(f"={len(packed) // 4}I", packed)


def _overflow_id(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return _DEFAULT_OVERFLOW_ID
