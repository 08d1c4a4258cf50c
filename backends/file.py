"""Files as a secret backend: development, systemd credentials, mounted Kubernetes Secrets.

Owns: one directory and what is below it. A path names a file (the whole value, and its members if it is a
JSON object) or a directory (a field a file). Refuses to know: everything outside, wherever a symbolic link
may point.

The version is made of what the file system tells cheaply: names, inodes, times, sizes.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from broker.api import (
    InputDirectory,
    LifeCycle,
    PluginContext,
    Secret,
    SecretAccessDenied,
    SecretBackendPlugin,
    SecretBackendUnavailable,
    SecretDocument,
    SecretMalformed,
    SecretNotFound,
)

MAX_FILE_BYTES = 1024 * 1024
KUBERNETES_CURRENT = "..data"
"""The link that the kubelet swaps to replace all files of a mounted Secret at once."""


class FileOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[secret_backends.NAME]` of type "file"."""

    directory: InputDirectory


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A regular file, opened once, so that what is told and what is read belong together."""

    name: str
    identity: tuple[int, int, int]
    content: bytes = field(repr=False)


class FileBackend:
    """Implements `broker.ports.SecretBackend`."""

    def __init__(self, options: FileOptions, context: PluginContext) -> None:
        self._directory = Path(options.directory)
        self._context = context
        self._where = f"secret backend {context.name}"
        self._warned: set[Path] = set()
        self._lock = threading.Lock()

    def read(self, path: str, *, timeout_seconds: float) -> SecretDocument:  # noqa: ARG002 - files know no time-out
        with self._explained(path):
            place = self._place(path)
            if place.is_dir():
                files = [self._file(entry) for entry in self._entries(place)]
                fields = {file.name: Secret(file.content) for file in files}
                return SecretDocument(fields=fields, version=_version(place, files))
            file = self._file(place)
            return SecretDocument.of_bytes(file.content, version=_version(place, [file]))

    def version(self, path: str, *, timeout_seconds: float) -> str | None:  # noqa: ARG002 - files know no time-out
        with self._explained(path):
            place = self._place(path)
            entries = self._entries(place) if place.is_dir() else [place]
            return _version(place, [self._file(entry, content=False) for entry in entries])

    def close(self) -> None:
        """Nothing is held between calls."""

    def _place(self, path: str) -> Path:
        named = Path(path)
        if named.is_absolute() or ".." in named.parts:
            raise SecretNotFound(f"{self._where}: {path}: must be relative to {self._directory}, without ..")
        place = self._directory / named
        current = place / KUBERNETES_CURRENT
        return self._followed(current if place.is_dir() and current.is_dir() else place)

    def _entries(self, directory: Path) -> list[Path]:
        """The files of a secret; names that start with `..` are the kubelet's, directories other secrets."""
        return sorted(
            entry for entry in directory.iterdir() if not entry.name.startswith("..") and not entry.is_dir()
        )

    def _followed(self, place: Path) -> Path:
        """Where this leads by way of all links, which must be inside."""
        root, real = (os.path.realpath(each, strict=True) for each in (self._directory, place))
        if not Path(real).is_relative_to(root):
            raise SecretNotFound(f"{self._where}: {place}: a link leads out of {self._directory}")
        return Path(real)

    def _file(self, file: Path, *, content: bool = True) -> _Found:
        # A pipe must not hold the thread, and a link put here in this instant is not followed.
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        with os.fdopen(os.open(self._followed(file), flags), "rb") as opened:
            about = os.fstat(opened.fileno())
            if not stat.S_ISREG(about.st_mode) or about.st_size > MAX_FILE_BYTES:
                raise SecretMalformed(
                    f"{self._where}: {file}: is no regular file of at most {MAX_FILE_BYTES} bytes"
                )
            self._warn_if_open_to_others(file, about.st_mode)
            return _Found(
                name=file.name,
                identity=(about.st_ino, about.st_mtime_ns, about.st_size),
                content=opened.read(MAX_FILE_BYTES) if content else b"",
            )

    def _warn_if_open_to_others(self, file: Path, mode: int) -> None:
        with self._lock:
            if not mode & stat.S_IROTH or file in self._warned:
                return
            self._warned.add(file)
        message = f"{self._where}: {file} can be read by everybody (mode {stat.S_IMODE(mode):04o})"
        self._context.observer(LifeCycle(phase="warning", message=message))

    @contextmanager
    def _explained(self, path: str) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, NotADirectoryError):
            failure = f"{self._where}: {path}: there is no such file or directory in {self._directory}"
            raise SecretNotFound(failure) from None
        except PermissionError as error:
            failure = f"{self._where}: {path}: the broker's user may not read {error.filename}"
            raise SecretAccessDenied(failure) from None
        except OSError as error:
            raise SecretBackendUnavailable(f"{self._where}: {path}: {error.strerror}") from None


def _version(place: Path, files: list[_Found]) -> str:
    told = repr((place.name, [(file.name, file.identity) for file in files]))
    return hashlib.sha256(told.encode()).hexdigest()[:16]


plugin = SecretBackendPlugin(
    options=FileOptions, create=FileBackend, capabilities=frozenset({"versions", "cheap_version_check"})
)
