"""A program run to its end, to its limit, or until the broker stops.

Owns: what it inherits (nothing but its environment), its process group and the end of that. Refuses to know: what it
is for. What it prints is thrown away: it may have read the token, and a log must not show that.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from broker.api import HookError

LIMIT_SECONDS: Final = 30.0
_KILL_SECONDS: Final = 5.0

# With vfork the whole interpreter would wait, under its lock, for an execve on a file system that hangs.
setattr(subprocess, "_USE_VFORK", False)  # noqa: B010 - the documented way to say so, of a name that types call final


class Program:
    """One argv, never two runs at a time. Its process group ends with the run that reaches the limit or is stopped."""

    def __init__(self, argv: tuple[str, ...], *, limit_seconds: float = LIMIT_SECONDS) -> None:
        self._argv = argv
        self._limit_seconds = limit_seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def run(self, environment: Mapping[str, str]) -> None:
        """Raises HookError unless it ends with status 0 within its limit."""
        if self._stopped:
            raise HookError(f"{self._argv[0]} is not run any more: the broker stops", code="stopped")
        process = self._started(environment)
        self._adopt(process)
        in_time = _ends_within(process, self._limit_seconds)
        if not in_time:
            _kill(process)
            if not _ends_within(process, _KILL_SECONDS):
                raise HookError(f"{self._argv[0]} does not even end when it is killed", code="hangs")
        with self._lock:
            # Nowhere else, so that `stop` never kills a stranger that was given this number since.
            status = process.wait()
            self._process = None
        if not in_time:
            raise HookError(
                f"{self._argv[0]} had not ended after {self._limit_seconds:g} s and was killed: let it do its "
                "work in the background, or elsewhere",
                code="timeout",
            )
        if status:
            raise HookError(f"{self._argv[0]} {_described(status)}: look at what it logs", code="status")

    def stop(self) -> None:
        """Kill what runs, and let nothing run from now on."""
        with self._lock:
            self._stopped = True
            if self._process is not None:
                _kill(self._process)

    def _adopt(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._process = process
            if self._stopped:  # meanwhile
                _kill(process)

    def _started(self, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(  # noqa: S603 - an argv of the configuration's, without a shell
                self._argv,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            raise HookError(
                f"{self._argv[0]} cannot be run: {os.strerror(error.errno or 0)}: install it, make it executable "
                "for the broker's user, or name another",
                code="exec",
            ) from None


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _ends_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Without reaping it, where the system can say so."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except (AttributeError, OSError):
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        return process.returncode is not None
    try:
        end = select.poll()
        end.register(descriptor, select.POLLIN)
        return bool(end.poll(seconds * 1000))
    finally:
        os.close(descriptor)


def _described(status: int) -> str:
    if status > 0:
        return f"ended with status {status}"
    with suppress(ValueError):
        return f"was ended by {signal.Signals(-status).name}"
    return f"was ended by signal {-status}"
