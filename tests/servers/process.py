"""A server as a child process: started with a log file, waited for, stopped by its pid.

Owns the choice of free ports, the child's life and the words when it does not come up. Refuses to know which
server it is: the caller brings the command line and the question that tells readiness.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, TypeVar

from tests.waiting import eventually

T = TypeVar("T")

_LOG_TAIL_CHARACTERS: Final = 2000
_ADDRESS_IN_USE: Final = ("address already in use", "port already bound")

_WORKER: Final = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 16
_OURS: Final = range(20_000 + 700 * _WORKER, 20_700 + 700 * _WORKER)
# Two runs at a time seldom begin at the same place.
_TURN: Final = itertools.count(os.getpid() % len(_OURS))


class ChildExited(Exception):
    """The server ended before it was ready; the message holds the tail of its log."""


class PortTaken(ChildExited):
    """It ended because somebody else took the port between our choice and its bind."""


class Child:
    """One running server. ``log`` receives what it prints on both streams."""

    def __init__(self, argv: Sequence[str | Path], *, env: Mapping[str, str], log: Path) -> None:
        self.log = log
        # A session of its own: Ctrl-C at the terminal ends pytest, which then stops the server in order.
        with log.open("wb") as sink:
            self._process = subprocess.Popen(
                [*_dies_with_parent(), *argv],
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_until(self, ready: Callable[[], T], *, timeout: float, what: str) -> T:
        """Answer the first true ``ready()``; a refused or broken connection counts as not yet.

        Stops the child and raises PortTaken or ChildExited when it ended, AssertionError after the timeout.
        """

        def alive_and_ready() -> T:
            # Asked first: an answer on the port of a dead child comes from somebody else.
            self._raise_if_ended()
            return ready()

        try:
            return eventually(alive_and_ready, timeout=timeout, what=what, retry_on=(OSError,))
        except BaseException:
            self.stop()
            raise

    def stop(self, *, grace_seconds: float = 15.0) -> None:
        """SIGTERM, and SIGKILL when that was not enough; a child that has ended is left alone."""
        if self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _raise_if_ended(self) -> None:
        status = self._process.poll()
        if status is None:
            return
        text = self.log.read_text(errors="replace")
        kind = PortTaken if any(words in text.lower() for words in _ADDRESS_IN_USE) else ChildExited
        raise kind(f"exit status {status}: {text[-_LOG_TAIL_CHARACTERS:]}")


def free_port(*, width: int = 1) -> int:
    """Answer a loopback port that is free now, with the ``width`` - 1 ports above it.

    Nobody gets it who asks the kernel for any port, in the second that a server needs to come up: it lies below those,
    and other workers of this run have others.
    """
    while True:
        turn = min(next(_TURN) for _ in range(width))
        first = _OURS.start + turn % (len(_OURS) - width)
        try:
            with ExitStack() as bound:
                for port in range(first, first + width):
                    bound.enter_context(socket.socket()).bind(("127.0.0.1", port))
        except OSError:
            continue
        return first


def started(start: Callable[[], T], *, attempts: int = 3) -> T:
    """Answer ``start()``, asked again while the ports it chose were taken by another process."""
    for _ in range(attempts - 1):
        try:
            return start()
        except PortTaken:
            continue
    return start()


def _dies_with_parent() -> list[str]:
    """A killed pytest cannot stop its servers, the kernel can. Without util-linux we go without."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
