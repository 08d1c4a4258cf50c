"""The process itself, before it holds any secret, and the directories that it may not share.

Owns: hardening (R-159), how memory is given back, and the two locks. Refuses to know: what the daemon does.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
from contextlib import ExitStack
from pathlib import Path

from broker.config.schema import BrokerTable
from broker.errors import ConfigError, Fault
from broker.infra.locks import RuntimeLock

PR_SET_DUMPABLE = 4
M_ARENA_MAX = -8
MALLOC_ARENAS = 2
"""glibc would keep a heap for each of the first threads, up to eight for each core; ours allocate little."""
RUNTIME_MODE = 0o755
"""Programs of other users pass through it to their token files and the socket, which guard themselves."""
STATE_MODE = 0o700
LOCK = "lock"


def harden() -> None:
    """No core file, no reading of our memory by processes of the same user, no file that others may read by accident.

    Set here and not only in the unit: a piped core handler ignores RLIMIT_CORE, and an execve resets the flag.
    """
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def lean() -> None:
    """Few heaps, before there are threads; nothing where the C library has no such setting."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, MALLOC_ARENAS)


def settle() -> None:
    """What there is now stays: the collector need not look at it again, and what is free goes back to the system."""
    gc.collect()
    gc.freeze()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def lock_directories(table: BrokerTable, stack: ExitStack) -> tuple[str, ...]:
    """Hold the runtime and the state directory until `stack` closes; answers warnings.

    Raises AlreadyRunning if another instance holds one, ConfigError if the runtime directory cannot be used. A state
    directory that cannot be used costs only what it would keep.
    """
    runtime, state = Path(table.runtime_dir), Path(table.state_dir)
    _lock(runtime, RUNTIME_MODE, "broker.runtime_dir", stack)
    if state.exists() and state.samefile(runtime):
        return ()
    try:
        _lock(state, STATE_MODE, "broker.state_dir", stack)
    except ConfigError as error:
        return tuple(str(fault) for fault in error.faults)
    return ()


def hold_again(table: BrokerTable, stack: ExitStack) -> bool:
    """Make the runtime directory and the lock in it anew where they were deleted; whether that was so.

    Raises as `lock_directories` does. The lock on the deleted file is kept, and means nothing any more.
    """
    runtime = Path(table.runtime_dir)
    if (runtime / LOCK).exists():
        return False
    _lock(runtime, RUNTIME_MODE, "broker.runtime_dir", stack)
    return True


def _lock(directory: Path, mode: int, key: str, stack: ExitStack) -> None:
    try:
        if not directory.is_dir():
            directory.mkdir(parents=True, mode=0o755)
            directory.chmod(mode)
        stack.enter_context(RuntimeLock(directory / LOCK))
    except OSError as error:
        raise ConfigError(
            (
                Fault(
                    key,
                    f"{directory} cannot be used: {error.strerror}; create it writable for uid {os.geteuid()},"
                    " or name another directory",
                ),
            )
        ) from None
