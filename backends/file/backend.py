"""Secrets in files: what one read gives, and which version that is.

A path names a file (the whole value, and its members if it is a JSON object) or a directory (a field a file). The
version is made of places, inodes, times and sizes, which the file system tells without the content. Refuses to know:
where paths lead (`tree`), who else may read (`permissions`).

A mounted Kubernetes Secret is swapped as a whole by one rename of a link, and the old files are removed right after.
So what was read counts only if the path still leads to the same place afterwards.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from backends.file import permissions
from backends.file.tree import Outside, Place, Tree
from broker.api import (
    LifeCycle,
    PluginContext,
    Secret,
    SecretAccessDenied,
    SecretBackendUnavailable,
    SecretDocument,
    SecretMalformed,
    SecretNotFound,
)

MAX_BYTES = 1024 * 1024
"""Of one secret, in one file or several: as much as a Kubernetes Secret may hold."""
MAX_FILES = 256
ATTEMPTS = 10
"""A generation that is gone by the time it was read is followed by one that stays for a while."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A regular file, opened once, so that what is told and what is read belong together."""

    name: str
    identity: tuple[int, ...]
    content: bytes = field(repr=False)


class FileBackend:
    """Implements `broker.ports.SecretBackend`."""

    def __init__(self, directory: str, context: PluginContext) -> None:
        self._directory = Path(directory)
        self._tree = Tree(directory)
        self._context = context
        self._where = f"secret backend {context.name}"
        self._warned: set[Path] = set()
        self._lock = threading.Lock()

    def read(self, path: str, *, timeout_seconds: float) -> SecretDocument:  # noqa: ARG002 - files know no time-out
        def read(place: Place) -> SecretDocument:
            if place.path.is_dir():
                files = self._files(place, path, content=True)
                fields = {file.name: Secret(file.content) for file in files}
                return SecretDocument(fields=fields, version=_version(place, files))
            file = self._file(place, self._directory / path, at_most=MAX_BYTES, content=True)
            return SecretDocument.of_bytes(file.content, version=_version(place, [file]))

        return self._settled(path, read)

    def version(self, path: str, *, timeout_seconds: float) -> str | None:  # noqa: ARG002 - files know no time-out
        def look(place: Place) -> str:
            if place.path.is_dir():
                return _version(place, self._files(place, path, content=False))
            file = self._file(place, self._directory / path, at_most=MAX_BYTES, content=False)
            return _version(place, [file])

        return self._settled(path, look)

    def close(self) -> None:
        """Nothing is held between calls."""

    def _settled(self, path: str, look: Callable[[Place], T]) -> T:
        """What is seen of a place that is still the current one afterwards."""
        with self._explained(path):
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    place = self._tree.find(path)
                    seen = look(place)
                    if self._tree.find(path) == place:
                        return seen
                except OSError:
                    if attempt == ATTEMPTS:
                        raise
        raise SecretBackendUnavailable(
            f"{self._where}: {path}: was replaced {ATTEMPTS} times while it was read"
        )

    def _files(self, place: Place, path: str, *, content: bool) -> list[_File]:
        """What a directory holds."""
        shown = self._directory / path
        self._warn_once(shown, place.path.stat().st_mode)
        names = self._tree.names(place, at_most=MAX_FILES)
        if len(names) > MAX_FILES:
            raise SecretMalformed(f"{self._where}: {shown}: has more than {MAX_FILES} files")
        files: list[_File] = []
        left = MAX_BYTES
        for name in names:
            entry = self._tree.entry(place, name)
            file = self._file(entry, shown / name, at_most=left, content=content)
            files.append(_File(name=name, identity=file.identity, content=file.content))
            left -= len(file.content)
        return files

    def _file(self, place: Place, shown: Path, *, at_most: int, content: bool) -> _File:
        try:
            descriptor = self._tree.open(place)
        except PermissionError as error:  # it names a component only
            raise PermissionError(error.errno, error.strerror, str(place.path)) from None
        with os.fdopen(descriptor, "rb") as opened:
            about = os.fstat(descriptor)
            # One byte more than there may be: it can have grown since.
            regular = stat.S_ISREG(about.st_mode)
            read = opened.read(at_most + 1) if regular and content and about.st_size <= at_most else b""
            if not regular or max(about.st_size, len(read)) > at_most:
                raise SecretMalformed(
                    f"{self._where}: {shown}: is no regular file, or the secret has more than {MAX_BYTES} bytes"
                )
        self._warn_once(shown, about.st_mode)
        # The time of change as well: a copy may set that of modification.
        identity = (about.st_ino, about.st_mtime_ns, about.st_ctime_ns, about.st_size)
        return _File(name=place.path.name, identity=identity, content=read)

    def _warn_once(self, shown: Path, mode: int) -> None:
        message = permissions.warning(shown, mode)
        with self._lock:
            if message is None or shown in self._warned:
                return
            self._warned.add(shown)
        self._context.observer(LifeCycle(phase="warning", message=f"{self._where}: {message}"))

    @contextmanager
    def _explained(self, path: str) -> Iterator[None]:
        try:
            yield
        except Outside as error:
            raise SecretNotFound(f"{self._where}: {error}") from None
        except (FileNotFoundError, NotADirectoryError) as error:
            raise SecretNotFound(f"{self._where}: {path}: {self._absence(path, error)}") from None
        except PermissionError as error:
            denied = permissions.denial(Path(os.fsdecode(error.filename or self._directory)))
            raise SecretAccessDenied(f"{self._where}: {path}: {denied}") from None
        except OSError as error:
            failure = f"{self._where}: {path}: {error.strerror}"
            if error.errno in (errno.ELOOP, errno.ENAMETOOLONG):
                raise SecretMalformed(failure) from None
            raise SecretBackendUnavailable(failure) from None

    def _absence(self, path: str, error: OSError) -> str:
        missing = os.fsdecode(error.filename or "")
        if not self._directory.is_dir():
            return f"the configured directory {self._directory} does not exist"
        if missing and Path(missing).parent == self._directory / path:
            return f"{missing} leads nowhere"
        return f"there is no such file or directory in {self._directory}"


def _version(place: Place, files: list[_File]) -> str:
    told = repr((place.root, place.parts, [(file.name, file.identity) for file in files]))
    return hashlib.sha256(told.encode()).hexdigest()[:16]
