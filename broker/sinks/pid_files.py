"""A signal to the process that a pid file names, and to no other.

Owns: which pid files are believed (docs/interface.md 7, "Hooks"): a stranger who may write one would choose whom the
broker, perhaps as root, sends a signal to. Refuses to know: why a signal is sent.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from broker.api import HookError
from broker.sinks.ownership import access, foreign_writers, user

_LONGEST_BYTES: Final = 64
_NUMBER: Final = re.compile(rb"\s*([0-9]{1,10})\s*")
# O_NONBLOCK: a FIFO in its place must not hold us.
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class PidFile:
    """The pid file at `path`.

    Times are not compared with those of the file: the wall clock may have been stepped since it was written, by years
    where a machine has no battery for it, and a program that is never told is worse than one that is told wrongly.
    """

    def __init__(self, path: str, *, start_of: Callable[[int], int | None] | None = None) -> None:
        self._path = path
        self._start_of = start_of or start_of_process
        self._signalled: tuple[os.stat_result, int] | None = None
        """What the file was, and when the process began, at the last signal."""

    def send(self, number: signal.Signals) -> None:
        """Signal the process. Raises HookError, which names the file and the fix."""
        path = self._path
        if not hasattr(os, "pidfd_open"):
            raise HookError(f"{path}: signals need Linux 5.3: use exec in on_change", code="unsupported")
        pid, status = _read(path)
        try:
            process = os.pidfd_open(pid)
        except ProcessLookupError:
            raise _gone(path, pid) from None
        except OSError as error:
            raise HookError(
                f"{path}: cannot look at process {pid}: {os.strerror(error.errno or 0)}"
            ) from None
        try:
            target, start = _user_of(pid), self._start_of(pid)
            # The process behind the descriptor still being there, what was read is about it and no successor.
            signal.pidfd_send_signal(process, 0)  # 0 asks
            if status.st_uid not in {0, os.geteuid(), target}:
                raise HookError(
                    f"{path} ({access(status)}) belongs neither to root nor to the broker nor to the user of process "
                    f"{pid} ({'not visible' if target is None else user(target)}): it is not believed; let one of "
                    "them write it",
                    code="stranger",
                )
            self._refuse_successor(pid, status, start)
            signal.pidfd_send_signal(process, number)
        except ProcessLookupError:
            raise _gone(path, pid) from None
        except PermissionError:
            raise HookError(
                f"{path}: may not signal process {pid}: run the broker as its user, give it CAP_KILL, or use exec",
                code="permission",
            ) from None
        finally:
            os.close(process)
        self._signalled = None if start is None else (status, start)

    def _refuse_successor(self, pid: int, status: os.stat_result, start: int | None) -> None:
        """Another process than the last time, though nobody wrote the file: its number was given again."""
        if self._signalled is None or start is None:
            return
        then, began = self._signalled
        if _written(then) == _written(status) and start != began:
            raise HookError(
                f"{self._path}: process {pid} is another one than was signalled before, and the file was not written "
                "since: the program ended and its number was given again; start it, and let it write the file",
                code="stale",
            )


def start_of_process(pid: int) -> int | None:
    """When it began, in ticks since boot, on a clock that is never set; exec changes nothing. None if hidden."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return int(text.rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return None


def _written(status: os.stat_result) -> tuple[int, int, int, int]:
    """Differs whenever the file was written, or another one took its place."""
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns


def _read(path: str) -> tuple[int, os.stat_result]:
    try:
        descriptor = os.open(path, _READ)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise HookError(f"{path} is a symbolic link: name the file itself", code="pid_file") from None
        raise HookError(
            f"{path} cannot be read: {os.strerror(error.errno or 0)}: is the program running?",
            code="pid_file",
        ) from None
    try:
        status = os.fstat(descriptor)
        _refuse(path, status)
        content = os.read(descriptor, _LONGEST_BYTES)
    finally:
        os.close(descriptor)
    found = _NUMBER.fullmatch(content)
    if found is None or int(found[1]) <= 1:
        raise HookError(f"{path} does not hold a process number above 1", code="pid_file")
    return int(found[1]), status


def _refuse(path: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise HookError(f"{path} is not a file: name the program's pid file", code="pid_file")
    writers = foreign_writers(status)
    if writers is not None:
        raise HookError(
            f"{path} ({access(status)}) is writable by {writers}: it is not believed; "
            f"chmod {'o' if writers == 'others' else 'g'}-w it",
            code="stranger",
        )


def _user_of(pid: int) -> int | None:
    """The effective uid of a process; its directory in /proc would say root of one that is not dumpable.

    None where the kernel hides other users' processes, as `ProtectProc=invisible` asks it to.
    """
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
        return int(next(line for line in text.splitlines() if line.startswith("Uid:")).split()[2])
    except (OSError, StopIteration):
        return None


def _gone(path: str, pid: int) -> HookError:
    return HookError(f"{path}: there is no process {pid}: is the program running?", code="gone")
