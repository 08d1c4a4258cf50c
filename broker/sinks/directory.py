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
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class _Place:
    path: str
    descriptor: int
    status: os.stat_result


@contextmanager
def opened(path: str, *, create: bool) -> Iterator[int]:
    """A descriptor of the directory at the absolute, normalised `path`.

    Raises SinkError for a symbolic link or an unsafe directory; OSError, with the component as its file name,
    when a call fails. Without `create` a missing directory is FileNotFoundError.
    """
    with ExitStack() as descriptors:

        def place(where: str, descriptor: int) -> _Place:
            descriptors.callback(os.close, descriptor)
            return _Place(where, descriptor, os.fstat(descriptor))

        here = place("/", os.open("/", _STEP))
        for name in filter(None, path.split("/")):
            where = f"{here.path.rstrip('/')}/{name}"
            try:
                child = place(where, _step(here.descriptor, name, create=create))
            except OSError as error:
                _refuse_link(here.descriptor, name, where)
                raise OSError(error.errno, error.strerror, where) from None
            _refuse_planted(child, above=here)
            if create and _is_unfinished(child.status):
                _finish(here.descriptor, name)
            here = child
        _refuse_unsafe(here)
        try:
            readable = os.open(".", _READABLE, dir_fd=here.descriptor)
        except OSError as error:
            raise OSError(error.errno, error.strerror, here.path) from None
        descriptors.callback(os.close, readable)
        yield readable


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


def _is_unfinished(status: os.stat_result) -> bool:
    mode = stat.S_IMODE(status.st_mode)
    return status.st_uid == os.geteuid() and bool(mode & stat.S_ISVTX) and not mode & ~_UNFINISHED_MODE


def _finish(parent: int, name: str) -> None:
    made = os.open(name, _READABLE | os.O_NOFOLLOW, dir_fd=parent)
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


def _refuse_unsafe(place: _Place) -> None:
    writers = foreign_writers(place.status)
    if writers and not place.status.st_mode & stat.S_ISVTX:  # the sticky bit protects the entries of each
        raise SinkError(
            f"directory {place.path} ({access(place.status)}) is writable by {writers}: "
            f"chmod {'o' if writers == 'others' else 'g'}-w it, or publish into another directory",
            code="unsafe_directory",
        )


def _refuse_planted(place: _Place, *, above: _Place) -> None:
    """A directory that others may write can lead on only into one that they cannot have put there."""
    if foreign_writers(above.status) and place.status.st_uid not in {0, os.geteuid()}:
        raise SinkError(
            f"directory {place.path} ({access(place.status)}) lies in {above.path}, where others can "
            "make one, and belongs neither to root nor to the broker: publish into another directory",
            code="unsafe_directory",
        )
