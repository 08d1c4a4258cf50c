"""The directory of a token file: reached without following a symbolic link, refused where others may write.

Owns: the walk, one component at a time through descriptors, so that whatever is swapped meanwhile leads
nowhere else; what makes a directory unsafe; the creation of missing ones. Refuses to know: the file.

openat2(2) with RESOLVE_NO_SYMLINKS would be one call, but shows nothing of the directories on the way, whose
owners matter as much; looking at them afterwards would look at others.

Directories we create get mode 0755: the files' own modes protect the tokens, and a reader in a file's group
must be able to reach it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from broker.api import SinkError
from broker.sinks.ownership import access, foreign_writers

CREATED_MODE: Final = 0o755
# The umask takes part in mkdir; a sticky bit, which is of no use to such a directory, tells that its mode is not
# final yet, also to whoever comes after a process that was killed there.
_UNFINISHED_MODE: Final = stat.S_ISVTX | CREATED_MODE

_READABLE: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# O_PATH asks for no read permission on the directories on the way (many are 0711); only Linux has it.
_STEP: Final = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)


@contextmanager
def opened(path: str, *, create: bool) -> Iterator[int]:
    """A descriptor of the directory at the absolute, normalised `path`.

    Raises SinkError for a symbolic link or an unsafe directory; OSError, with the component as its file name,
    when a call fails. Without `create` a missing directory is FileNotFoundError.
    """
    where, here = "/", os.open("/", _STEP)
    try:
        status = os.fstat(here)
        for name in filter(None, path.split("/")):
            above = where, status
            where = f"{where.rstrip('/')}/{name}"
            try:
                child = _step(here, name, create=create)
            except OSError as error:
                _refuse_link(here, name, where)
                raise OSError(error.errno, error.strerror, where) from None
            parent, here = here, child
            os.close(parent)
            status = os.fstat(here)
            _refuse_planted(where, status, above=above)
            if create and _is_unfinished(status):
                _finish(here)
        _refuse_unsafe(where, status)
        readable = _read(here, where)
        try:
            yield readable
        finally:
            os.close(readable)
    finally:
        os.close(here)


def parts(path: str) -> tuple[str, str]:
    """The directory and the name of a file."""
    return os.path.split(os.path.normpath(path))


def described(path: str) -> str:
    """`path`, or the nearest directory above it that can be seen, with owner and mode: for messages."""
    try:
        return f"{path}, {access(os.lstat(path))}"
    except OSError:
        return path if path == "/" else described(str(Path(path).parent))


def _step(parent: int, name: str, *, create: bool) -> int:
    try:
        return os.open(name, _STEP, dir_fd=parent)
    except FileNotFoundError:
        if not create:
            raise
    with suppress(FileExistsError):  # another token's publication was faster
        os.mkdir(name, _UNFINISHED_MODE, dir_fd=parent)
    return os.open(name, _STEP, dir_fd=parent)


def _read(directory: int, where: str) -> int:
    try:
        return os.open(".", _READABLE, dir_fd=directory)
    except OSError as error:
        raise OSError(error.errno, error.strerror, where) from None


def _is_unfinished(status: os.stat_result) -> bool:
    mode = stat.S_IMODE(status.st_mode)
    return bool(mode & stat.S_ISVTX) and not mode & ~_UNFINISHED_MODE and status.st_uid == os.geteuid()


def _finish(directory: int) -> None:
    made = os.open(".", _READABLE, dir_fd=directory)
    try:
        os.fchmod(made, CREATED_MODE)
    finally:
        os.close(made)


def _refuse_link(parent: int, name: str, where: str) -> None:
    with suppress(OSError):
        target = os.readlink(name, dir_fd=parent)
        raise SinkError(
            f"{where} is a symbolic link to {target}, and none is followed: name the real directory",
            code="symbolic_link",
        )


def _refuse_unsafe(where: str, status: os.stat_result) -> None:
    writers = foreign_writers(status)
    if writers and not status.st_mode & stat.S_ISVTX:  # the sticky bit protects the entries of each
        raise SinkError(
            f"directory {where} ({access(status)}) is writable by {writers}: "
            f"chmod {'o' if writers == 'others' else 'g'}-w it, or publish into another directory",
            code="unsafe_directory",
        )


def _refuse_planted(where: str, status: os.stat_result, *, above: tuple[str, os.stat_result]) -> None:
    """A directory that others may write can lead on only into one that they cannot have put there."""
    parent, its_status = above
    if foreign_writers(its_status) and status.st_uid not in {0, os.geteuid()}:
        raise SinkError(
            f"directory {where} ({access(status)}) lies in {parent}, where others can "
            "make one, and belongs neither to root nor to the broker: publish into another directory",
            code="unsafe_directory",
        )
