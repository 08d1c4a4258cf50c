"""A program that stands in our place: it gets our signals, and we end as it ends.

Owns: starting it, passing signals on, its exit status, and, as the first process of a container, the dead of
others. Refuses to know: what it is for. Signals are waited for rather than handled, so that none is lost between
two steps.
"""

import os
import signal
from collections.abc import Callable, Mapping

from broker.cli.streams import complain

NOT_FOUND = 127
NOT_EXECUTABLE = 126
SIGNALLED = 128
"""What a shell answers for these: POSIX XCU 2.8.2."""

_SENT_BY_KERNEL = 0x80
"""SI_KERNEL: a terminal signalled the whole foreground group, and the program has its copy."""

# Faults are our own; the rest is job control, in which the program takes part as a member of our group.
_NOT_PASSED_ON = {
    signal.SIGKILL,
    signal.SIGSTOP,
    signal.SIGSEGV,
    signal.SIGBUS,
    signal.SIGILL,
    signal.SIGFPE,
    signal.SIGTRAP,
    signal.SIGSYS,
    signal.SIGABRT,
    signal.SIGPIPE,
    signal.SIGTSTP,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGCONT,
}


def run_child(argv: list[str], environment: Mapping[str, str], *, started: Callable[[], None]) -> int:
    """Run `argv` to its end; what to exit with. `started` is called once it runs."""
    awaited = signal.valid_signals() - _NOT_PASSED_ON
    before = signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    try:
        try:
            child = os.posix_spawnp(
                argv[0],
                argv,
                environment,
                setsigmask=before,
                setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],  # ignored by Python, not by whoever called us
            )
        except OSError as error:
            complain(f"token-broker: {argv[0]}: {error.strerror}")
            missing = isinstance(error, FileNotFoundError | NotADirectoryError)
            return NOT_FOUND if missing else NOT_EXECUTABLE
        started()
        return _look_after(child, awaited)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _look_after(child: int, awaited: set[signal.Signals]) -> int:
    while True:
        information = signal.sigwaitinfo(awaited)
        if information.si_signo != signal.SIGCHLD:
            if information.si_code != _SENT_BY_KERNEL or os.getpgid(child) != os.getpgrp():
                os.kill(child, information.si_signo)
            continue
        status = _reap(child)
        if status is not None:
            code = os.waitstatus_to_exitcode(status)
            return SIGNALLED - code if code < 0 else code


def _reap(child: int) -> int | None:
    """Wait for all who are dead; the program's wait status if it is among them."""
    while True:
        process, status = os.waitpid(-1, os.WNOHANG)
        if process == child:
            return status
        if process == 0:
            return None
