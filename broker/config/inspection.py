"""What `check` says beyond `load`: whether the files and directories that are named are as they should be.

Owns: the questions to the file system, asked as the user who runs `check`, and the words. Refuses to know:
what makes a directory unsafe to publish into, which the file sink decides and `directories` answers. None
of this stops `run`: a file may come later than the broker.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from broker.config.faults import Faults, item, join
from broker.config.schema import Config
from broker.config.settings import settings
from broker.config.unusable import unusable
from broker.errors import Fault


class Directories(Protocol):
    """What the file sink makes of a directory, or of the way to one that is not there yet."""

    def refusal(self, directory: str) -> str | None:
        """Why no token is published there, with path, owner and mode; None if tokens are."""
        ...

    def disk(self, directory: str) -> str | None:
        """The type of its file system unless that is memory; None too where the system does not say."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """Faults keep something from working now; notes are worth knowing."""

    faults: tuple[Fault, ...]
    notes: tuple[Fault, ...]


class KeyFiles(Protocol):
    """What the token cache makes of a readable key file."""

    def refusal(self, path: str) -> str | None:
        """Why its content is no key, without a part of it; None if it is one."""
        ...


def inspect(config: Config, *, directories: Directories, key_files: KeyFiles) -> Inspection:
    """Looks at every file that is read and every directory that is written to."""
    faults, notes = Faults(), Faults()
    for setting in settings(config):
        message = _unreadable(setting.value, setting.marks["reads"]) if "reads" in setting.marks else None
        if message is not None:
            faults.add(setting.path, message)
    if config.cache is not None and config.cache.key_file is not None:
        message = key_files.refusal(config.cache.key_file)
        if message is not None:
            faults.add("cache.key_file", message)
    for fault in unusable(config):
        faults.add(fault.path, fault.message)
    _look_for_programs(config, faults)
    seen: set[str] = set()
    for path, directory, publishes in _written(config):
        if directory in seen:
            continue
        seen.add(directory)
        there = _nearest(directory)
        message = _unwritable(directory, there)
        if message is None and publishes:
            message = directories.refusal(directory)
        if message is not None:
            faults.add(path, message)
        kind = directories.disk(there) if publishes else None
        if kind is not None:
            notes.add(
                path, f"{directory} is on {kind}, not on a memory file system: tokens outlive a power cut"
            )
    return Inspection(faults=faults.all(), notes=notes.all())


def _files(config: Config) -> Iterator[tuple[str, Any]]:
    """Key path and options of each token file."""
    for name, token in config.tokens.items():
        for key, tables in (("files", token.files), ("sinks", token.sinks)):
            for index, table in enumerate(tables):
                if table.type == "file":
                    yield item(f"{join('tokens', name)}.{key}", index), table.options


def _look_for_programs(config: Config, faults: Faults) -> None:
    for at, options in _files(config):
        program = next(iter(options.on_change.exec), None) if options.on_change is not None else None
        if program is not None and shutil.which(program) is None:
            fix = "install it, make it executable, or name another"
            faults.add(f"{at}.on_change.exec[0]", f"cannot be run by {_me()}: {program}; {fix}")


def _written(config: Config) -> Iterator[tuple[str, str, bool]]:
    """Key path, directory, and whether tokens are published there."""
    for at, options in _files(config):
        yield f"{at}.path", _parent(options.path), True
        if options.metadata is not None:
            yield f"{at}.metadata", _parent(options.metadata), True
    yield "broker.runtime_dir", config.broker.runtime_dir, True
    yield "socket.path", _parent(config.socket.path), False
    yield "broker.state_dir", config.broker.state_dir, False


def _unreadable(path: str, reads: str) -> str | None:
    try:
        if reads == "directory":
            with os.scandir(path):
                return None
        # O_NONBLOCK: opening a pipe that nobody writes to must not hang the check.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return f"no such {reads}: {path}"
    except NotADirectoryError:
        return f"not a directory: {path}"
    except PermissionError:
        return f"not readable for {_me()}: {_described(path)}; give the broker's user read permission"
    except OSError as error:
        return f"cannot be read: {path} ({error.strerror})"
    try:
        return f"not a file: {path}" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else None
    finally:
        os.close(descriptor)


def _unwritable(directory: str, there: str) -> str | None:
    if not Path(there).is_dir():
        return f"not a directory: {there}"
    if os.access(there, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        return None
    fix = "give the broker's user write permission on it, or name another"
    if there == directory:
        return f"not writable for {_me()}: {_described(directory)}; {fix}"
    return f"{directory} is not there, and {_described(there)} is not writable for {_me()}; {fix}"


def _nearest(directory: str) -> str:
    """The directory, or the one above it in which missing ones would be created."""
    path = Path(directory)
    while not os.path.lexists(path) and path != path.parent:
        path = path.parent
    return str(path)


def _parent(path: str) -> str:
    return str(Path(path).parent)


def _described(path: str) -> str:
    try:
        status = Path(path).stat()
    except OSError:
        return path
    return f"{path} (owner {_user(status.st_uid)}, mode {stat.S_IMODE(status.st_mode):04o})"


def _me() -> str:
    return _user(os.geteuid())


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
