"""One daemon per runtime directory.

Owns: the lock that a daemon holds for as long as it lives; the kernel drops it with the process, however that
ends. Refuses to know: what is done under it.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from broker.errors import BrokerError

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class AlreadyRunning(BrokerError):
    """Another process holds the lock."""

    error_class = "configuration"
    condition = "misconfigured"
    default_code = "already_running"


class RuntimeLock:
    """An exclusive lock on the file `path`, which stays: without it, two holders could lock two inodes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock without waiting. AlreadyRunning if it is held, OSError if the file will not open."""
        descriptor = os.open(self._path, _FLAGS, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise AlreadyRunning(
                f"another token-broker holds {self._path.parent}; stop it or set another directory"
            ) from None
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go; idempotent."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):
                os.close(descriptor)

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
