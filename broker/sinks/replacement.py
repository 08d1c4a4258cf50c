"""One file replaced as a whole: who opens the name finds the old content or the new, with exact permissions.

Owns: the order of the system calls (temporary file, group, mode, write, fsync, close, rename) and what is
left behind when one of them fails: nothing. Refuses to know: tokens, how the directory was found.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from broker.api import SinkError

PREFIX: Final = ".token-broker."
# Some network and shared-folder file systems have no fsync for directories; nothing is left to be done there.
_NO_SUCH_PROMISE: Final = frozenset({errno.EINVAL, errno.EOPNOTSUPP})
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: a FIFO that appears between look and open must not hold us.
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may read the file. `gid` None: whatever group the directory gives to new files."""

    mode: int
    gid: int | None = None
    group: str | None = None

    def grant(self, descriptor: int) -> None:
        """Make it so, group first: the mode must not serve the wrong group for a moment.

        A directory with the set-group-ID bit gives the group by itself; then fchown is not even called.
        """
        if self.gid is not None and os.fstat(descriptor).st_gid != self.gid:
            try:
                os.fchown(descriptor, -1, self.gid)
            except PermissionError:
                raise SinkError(
                    f"may not give the file to group {self.group}: make the broker a member of that group, "
                    f"or give the directory to it with the set-group-ID bit (chgrp {self.group}, chmod g+s)",
                    code="group",
                ) from None
        os.fchmod(descriptor, self.mode)

    def is_granted(self, status: os.stat_result) -> bool:
        """Whether a file already has this mode and group."""
        return stat.S_IMODE(status.st_mode) == self.mode and self.gid in {None, status.st_gid}


def replace(directory: int, name: str, content: bytes, access: Access) -> None:
    """Make `content` the file `name`, all but the directory's own fsync. Raises OSError and SinkError."""
    temporary = f"{temporaries_of(name)}{secrets.token_hex(8)}"
    descriptor = os.open(temporary, _CREATE, 0o600, dir_fd=directory)
    try:
        try:
            access.grant(descriptor)
            _write_all(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=directory)
        raise


def make_durable(directory: int) -> None:
    """Let the names in `directory` survive a power cut, where the file system can promise that."""
    try:
        os.fsync(directory)
    except OSError as error:
        if error.errno not in _NO_SUCH_PROMISE:
            raise


def keep_if_equal(directory: int, name: str, content: bytes, access: Access) -> bool:
    """Whether the file is ours alone and holds `content`; its mode and group are then put right."""
    try:
        descriptor = os.open(name, _READ, dir_fd=directory)
    except OSError:  # absent, or unreadable: then it is replaced
        return False
    try:
        status = os.fstat(descriptor)
        if not _is_ours_with(content, descriptor, status):
            return False
        if not access.is_granted(status):
            access.grant(descriptor)
        return True
    finally:
        os.close(descriptor)


def temporaries_of(name: str) -> str:
    """A prefix of constant length, whatever the length of the name."""
    return f"{PREFIX}{hashlib.sha256(name.encode()).hexdigest()[:12]}."


def _is_ours_with(content: bytes, descriptor: int, status: os.stat_result) -> bool:
    ours = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and status.st_nlink == 1
    if not ours or status.st_size != len(content):
        return False
    try:
        return os.pread(descriptor, len(content) + 1, 0) == content
    except OSError:
        return False


def _write_all(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        written = os.write(descriptor, rest)
        if not written:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        rest = rest[written:]
