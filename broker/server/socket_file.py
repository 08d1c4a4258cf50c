"""The socket in the file system: made unreachable for strangers first, then given its name.

Owns: the check for a live or stale predecessor (R-130), mode and group before the name exists (R-129),
removal of our own and only our own inode. Refuses to know: what is served.
"""

from __future__ import annotations

import errno
import os
import secrets
import socket
import stat
from contextlib import suppress
from pathlib import Path

from broker.errors import BrokerError, ConfigError, Fault
from broker.server.listener import BACKLOG

MAX_PATH_BYTES = 107
"""sun_path of unix(7), less its terminator."""

_PROBE_SECONDS = 1.0
_NAME_ATTEMPTS = 16


class SocketInUse(BrokerError):
    """Another process answers on the configured path."""

    error_class = "configuration"
    condition = "misconfigured"
    default_code = "socket_in_use"


class SocketFile:
    """A bound and listening socket at its path."""

    def __init__(self, path: Path, listening: socket.socket) -> None:
        self.listening = listening
        self._path = path
        self._identity = _identity(path)

    @property
    def is_named(self) -> bool:
        """Whether clients still find it under its name."""
        try:
            return _identity(self._path) == self._identity
        except OSError:
            return False

    def close(self) -> None:
        """Stop listening; remove the name unless it has become somebody else's."""
        if self.is_named:
            with suppress(OSError):
                self._path.unlink()
        self.listening.close()


def bind(path: Path, *, mode: int, gid: int | None, key: str) -> SocketFile:
    """Listen on `path` with exactly this mode and group.

    Raises SocketInUse if somebody answers there, ConfigError (naming `key`) for what else prevents it.
    """
    if len(os.fsencode(path)) > MAX_PATH_BYTES:
        raise _fault(key, f"longer than the {MAX_PATH_BYTES} bytes that the system allows")
    try:
        _check_predecessor(path, key)
        listening, temporary = _bind_beside(path)
    except OSError as error:
        raise _fault(key, f"cannot listen on {path}: {error.strerror}") from None
    try:
        if gid is not None:
            os.chown(temporary, -1, gid, follow_symlinks=False)
        temporary.chmod(mode)
        listening.listen(BACKLOG)  # until here every connect() was refused
        temporary.rename(path)
    except OSError as error:
        listening.close()
        temporary.unlink(missing_ok=True)
        raise _fault(key, f"cannot give {path} its mode, group and name: {error.strerror}") from None
    return SocketFile(path, listening)


def _check_predecessor(path: Path, key: str) -> None:
    """Return if the name is free or its socket stale and ours; the rename then replaces it."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(status.st_mode):
        raise _fault(key, f"{path} exists and is not a socket; remove it or choose another path")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_PROBE_SECONDS)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            if status.st_uid != os.geteuid():
                raise _fault(
                    key, f"{path} is a stale socket of uid {status.st_uid}; remove it or run as that user"
                ) from None
            return
        except FileNotFoundError:
            return
        except (TimeoutError, BlockingIOError, PermissionError):
            pass  # busy, or not ours to ask: alive as far as we can tell
    raise SocketInUse(f"another process answers on {path}; stop it or choose another {key}")


def _bind_beside(path: Path) -> tuple[socket.socket, Path]:
    """Bind under a free name in the same directory that is no longer than the final one."""
    for _ in range(_NAME_ATTEMPTS):
        name = secrets.token_hex(8)[: len(os.fsencode(path.name))]
        listening = socket.socket(socket.AF_UNIX)
        try:
            listening.bind(str(path.parent / name))
        except OSError as error:
            listening.close()
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return listening, path.parent / name
    raise OSError(errno.EADDRINUSE, "no free name beside it")


def _identity(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_dev, status.st_ino


def _fault(key: str, message: str) -> ConfigError:
    return ConfigError((Fault(key, message),))
