"""The directory of one `exec`: its tokens in memory, for one user, and gone in the end.

Owns: where it is made, replacing a file as a whole, leaving nothing behind; what an `exec` that was killed left
behind goes with the next one. Refuses to know: where tokens come from.
"""

import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock

from broker.client.errors import TokenUnavailable

_MODE = 0o700
_PREFIX = "token-broker-exec-"
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - a directory of our own is made in it


class TokenFiles:
    """Files by the names of tokens, below `path`."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = Lock()
        self._closed = False

    def write(self, name: str, token: str) -> None:
        """Replace the file, so that a reader finds the old token or the new one; nothing once it is closed."""
        with self._lock:
            if self._closed:
                return
            place = os.path.join(self.path, name)  # noqa: PTH118 - names of tokens hold no slash
            draft = os.path.join(self.path, ".new")  # noqa: PTH118
            descriptor = os.open(
                draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
            )
            with os.fdopen(descriptor, "wb") as file:
                file.write(token.encode("ascii"))
            os.replace(draft, place)  # noqa: PTH105

    def remove(self) -> None:
        """Remove everything, for good."""
        with self._lock:
            self._closed = True
            shutil.rmtree(self.path, ignore_errors=True)


@contextmanager
def token_files() -> Iterator[TokenFiles]:
    """A new directory of mode 0700. Raises TokenUnavailable where there is no memory to put it."""
    parent = _parent()
    _sweep(parent)
    name = f"{_PREFIX}{os.urandom(8).hex()}"
    draft, path = (os.path.join(parent, start + name) for start in (".", ""))  # noqa: PTH118
    os.mkdir(draft, _MODE)  # noqa: PTH102
    # The lock says that its owner lives: the kernel lets go of it with the process, however that ends. Under the
    # name that others look for there is never a directory without one.
    descriptor = os.open(draft, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.rename(draft, path)  # noqa: PTH104
    files = TokenFiles(path)
    try:
        yield files
    finally:
        files.remove()
        os.close(descriptor)


def _parent() -> str:
    for directory in (os.environ.get("XDG_RUNTIME_DIR"), _SHARED_MEMORY):
        if directory and os.path.isabs(directory) and _is_safe(directory):  # noqa: PTH117
            return directory
    raise TokenUnavailable(
        f"there is neither $XDG_RUNTIME_DIR nor {_SHARED_MEMORY} to keep token files in",
        code="no_memory_directory",
        fix="set XDG_RUNTIME_DIR to a directory in memory that is yours alone",
    )


def _is_safe(directory: str) -> bool:
    """Whether we may make something in it that others cannot replace."""
    try:
        mode = os.stat(directory).st_mode  # noqa: PTH116
    except OSError:
        return False
    shared = mode & (stat.S_IWGRP | stat.S_IWOTH) and not mode & stat.S_ISVTX
    return stat.S_ISDIR(mode) and not shared and os.access(directory, os.W_OK | os.X_OK)


def _sweep(parent: str) -> None:
    """Remove directories whose owner was killed: ours, and locked by nobody."""
    with suppress(OSError):
        for name in os.listdir(parent):  # noqa: PTH208
            if name.startswith(_PREFIX):
                with suppress(OSError):
                    _remove_if_abandoned(os.path.join(parent, name))  # noqa: PTH118


def _remove_if_abandoned(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) != _MODE:
            return
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(descriptor)
