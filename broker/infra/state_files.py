"""The files of the token cache: `cache/NAME.jwe` below the state directory, for their owner only.

Owns: which file is plainly ours (regular, our own, small, reached through no symbolic link in `cache`), replacement
that survives a power cut, and which other files are removed. Refuses to know: what is inside.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from broker.infra.key_file import StateFileRefused, explained, read_key
from broker.model import Secret
from broker.options import NAME_PATTERN

LONGEST_ENTRY_BYTES: Final = 65_536
DIRECTORY_MODE: Final = 0o700

_SUFFIX: Final = ".jwe"
_NAME: Final = NAME_PATTERN.strip("^$")
_OURS: Final = re.compile(rf"(?P<name>{_NAME}){re.escape(_SUFFIX)}", re.ASCII)
_LEFTOVER: Final = re.compile(rf"\.{_NAME}{re.escape(_SUFFIX)}\.[0-9a-f]{{16}}", re.ASCII)

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: nobody who puts a FIFO there may hold us.
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class StateFiles:
    """One entry per name. Synchronous, safe to call from several threads; raises StateFileRefused only."""

    def __init__(self, state_dir: str) -> None:
        self._directory = Path(state_dir) / "cache"
        # A write that was given up on may still run: what is asked for later must not be overtaken by it.
        self._turn = threading.Lock()

    def place(self, name: str) -> str:
        """The path of an entry."""
        return str(self._directory / f"{name}{_SUFFIX}")

    def read(self, name: str) -> bytes | None:
        """The whole entry, None if there is none."""
        with explained(self.place(name)):
            try:
                with self._opened(create=False) as directory:
                    return _content(f"{name}{_SUFFIX}", directory, self.place(name))
            except FileNotFoundError:
                return None

    def write(self, name: str, content: bytes) -> None:
        """Replace the entry as a whole: on return it would survive a power cut."""
        with self._turn, explained(self.place(name)), self._opened(create=True) as directory:
            temporary = f".{name}{_SUFFIX}.{secrets.token_hex(8)}"
            try:
                _write_new(temporary, content, directory)
                os.rename(temporary, f"{name}{_SUFFIX}", src_dir_fd=directory, dst_dir_fd=directory)
            except BaseException:
                with suppress(OSError):
                    os.unlink(temporary, dir_fd=directory)
                raise
            os.fsync(directory)

    def remove(self, name: str) -> None:
        """Remove the entry; nothing to remove is fine."""
        with (
            self._turn,
            explained(self.place(name)),
            suppress(FileNotFoundError),
            self._opened(create=False) as directory,
        ):
            os.unlink(f"{name}{_SUFFIX}", dir_fd=directory)

    def remove_all_but(self, names: Collection[str]) -> None:
        """Remove entries of ours under other names, and what an interrupted write left."""
        with (
            self._turn,
            explained(str(self._directory)),
            suppress(FileNotFoundError),
            self._opened(create=False) as directory,
        ):
            for entry in os.listdir(directory):  # noqa: PTH208 - a descriptor cannot be exchanged under us
                found = _OURS.fullmatch(entry)
                if found["name"] in names if found else not _LEFTOVER.fullmatch(entry):
                    continue
                if _is_our_own(os.stat(entry, dir_fd=directory, follow_symlinks=False)):
                    os.unlink(entry, dir_fd=directory)

    def read_key(self, path: str, *, warn: Callable[[str], None]) -> Secret:
        """The text of a key file, wherever it is."""
        return read_key(path, warn=warn)

    @contextmanager
    def _opened(self, *, create: bool) -> Iterator[int]:
        """A descriptor of the directory, ours alone."""
        if create and not self._directory.exists():
            self._directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
            _sync(self._directory.parent)
        descriptor = os.open(self._directory, _DIRECTORY)
        try:
            status = os.fstat(descriptor)
            if status.st_uid != os.geteuid():
                raise StateFileRefused(
                    f"{self._directory}: belongs to uid {status.st_uid}, not to the broker"
                )
            if create and stat.S_IMODE(status.st_mode) != DIRECTORY_MODE:
                os.fchmod(descriptor, DIRECTORY_MODE)
            yield descriptor
        finally:
            os.close(descriptor)


def _content(entry: str, directory: int, path: str) -> bytes:
    descriptor = os.open(entry, _READ, dir_fd=directory)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise StateFileRefused(f"{path}: is no regular file")
        if status.st_uid != os.geteuid():
            raise StateFileRefused(f"{path}: belongs to uid {status.st_uid}, not to the broker")
        if status.st_size > LONGEST_ENTRY_BYTES:
            raise StateFileRefused(f"{path}: is larger than the {LONGEST_ENTRY_BYTES} bytes of any entry")
        return os.read(descriptor, LONGEST_ENTRY_BYTES)
    finally:
        os.close(descriptor)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_new(name: str, content: bytes, directory: int) -> None:
    descriptor = os.open(name, _CREATE, 0o600, dir_fd=directory)
    try:
        os.fchmod(descriptor, 0o600)
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_our_own(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
