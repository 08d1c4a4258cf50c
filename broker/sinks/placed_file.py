"""One file at a path: replaced as a whole, with exactly these permissions, or left alone where it is as it should be.

Owns: the order of a publication, what may be in the file's place, and the words for what went wrong. Refuses to know:
which system calls replace a file (`replacement`), how a directory is reached (`directory`), what else there is in it
(`surroundings`), what the bytes mean.
"""

from __future__ import annotations

import errno
import grp
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from broker.api import LifeCycle, Observer, SinkError
from broker.sinks.directory import described, opened, parts
from broker.sinks.replacement import Access, keep_if_equal, make_durable, replace
from broker.sinks.surroundings import Surroundings

_FIXES: Final = {
    errno.ENOSPC: "free space there",
    errno.EDQUOT: "raise the quota of the broker's user",
    errno.EROFS: "remount it writable, or publish elsewhere",
    errno.EACCES: "give the broker's user write permission on the directory",
    errno.EPERM: "give the broker's user write permission on the directory; in a sticky one, remove the other "
    "user's file",
    errno.EMFILE: "raise LimitNOFILE",
    errno.ENFILE: "raise fs.file-max",
    errno.EIO: "look for disk errors in the kernel log",
    errno.ENAMETOOLONG: "shorten the path",
    errno.ENOTDIR: "a component of the path is a file",
}

BeforeReplacement = Callable[[int], None]
"""Is given the open directory."""


class PlacedFile:
    """The file at `path`. Raises SinkError only."""

    __slots__ = ("_durable", "_group", "_mode", "_observer", "_path", "_surroundings")

    def __init__(self, path: str, *, mode: int | None, group: str | None, observer: Observer) -> None:
        self._path = path
        self._mode = mode
        self._group = group
        self._observer = observer
        self._surroundings = Surroundings(path, observer)
        self._durable: bool | None = None
        """None: what is there may be a predecessor's, killed before it was durable. False: to be written anew."""

    def put(self, content: bytes, *, before_replacement: BeforeReplacement = lambda _: None) -> bool:
        """Make this the content, durably; answers whether it had to be written."""
        access = self._access()
        with self._explained("publish"), opened(self._directory, create=True) as directory:
            self._surroundings.look(directory)
            self._refuse_special(directory)
            written = self._durable is False or not keep_if_equal(directory, self._name, content, access)
            if written:
                self._durable = False
                before_replacement(directory)
                replace(directory, self._name, content, access)
            if not self._durable:
                # A second fsync after a failed one would succeed without a reason: then all is written anew.
                self._durable = False
                make_durable(directory)
                self._durable = True
        return written

    def remove(self) -> None:
        """Remove the file; what is no file of ours stays."""
        with (
            self._explained("remove"),
            suppress(FileNotFoundError),
            opened(self._directory, create=False) as directory,
        ):
            with suppress(FileNotFoundError):
                status = os.stat(self._name, dir_fd=directory, follow_symlinks=False)
                if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
                    os.unlink(self._name, dir_fd=directory)
            make_durable(directory)  # also where the file went in an attempt that failed here

    # Worked out at each use: kept, they would be a tenth of what a managed token at rest takes.
    @property
    def _directory(self) -> str:
        return parts(self._path)[0]

    @property
    def _name(self) -> str:
        return parts(self._path)[1]

    def _access(self) -> Access:
        group = self._group
        mode = self._mode
        if group is None:
            return Access(mode=0o600 if mode is None else mode)
        try:
            gid = grp.getgrnam(group).gr_gid
        except KeyError:
            raise SinkError(
                f"{self._path}: group {group} does not exist: create it, or name another",
                code="group",
            ) from None
        return Access(mode=0o640 if mode is None else mode, gid=gid, group=group)

    def _refuse_special(self, directory: int) -> None:
        try:
            status = os.stat(self._name, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            return
        if stat.S_ISREG(status.st_mode):
            if status.st_nlink > 1:
                self._warn(
                    f"{self._path} has {status.st_nlink} names (hard links): it is replaced, and the "
                    "other names keep the old token"
                )
        elif not stat.S_ISLNK(status.st_mode):
            raise SinkError(
                f"{self._path} is {_kind(status.st_mode)}, not a file: remove it, or name another",
                code="not_a_file",
            )

    def _warn(self, message: str) -> None:
        self._observer(LifeCycle(phase="warning", message=message))

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        """Turn every error of the system into a SinkError that names the path and the fix."""
        try:
            yield
        except SinkError as error:
            self._surroundings.disturbed()
            if self._path in error.message:
                raise
            raise SinkError(f"{self._path}: {error.message}", code=error.code) from None
        except OSError as error:
            self._surroundings.disturbed()
            number = error.errno or errno.EIO
            where = error.filename if isinstance(error.filename, str) and error.filename[0] == "/" else None
            if number in {errno.EACCES, errno.EPERM}:
                where = described(where or self._directory)
            at = f" (at {where})" if where and where != self._path else ""
            fix = _FIXES.get(number, "look at the file system")
            raise SinkError(
                f"cannot {what} {self._path}{at}: {os.strerror(number)}: {fix}",
                code=errno.errorcode.get(number, "os_error").lower(),
            ) from None


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a directory"
    if stat.S_ISFIFO(mode):
        return "a FIFO"
    if stat.S_ISSOCK(mode):
        return "a socket"
    return "a device"
