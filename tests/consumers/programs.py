"""How consumers are kept at work: something that is done again and again, or a program that lasts.

Owns: starting and ending them, and what they complained about. Refuses to know: what they do. Their output is kept out
of the test's own: a program may print what it was answered.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.consumers import looping
from tests.servers.http import ask

Complaints = list[str]

RUN_SECONDS: Final = 30.0


@contextmanager
def repeated(what: Callable[[], str | None], *, pause_seconds: float) -> Iterator[Complaints]:
    """Do this again and again, with a pause in between; what it answers is a complaint."""
    stop = threading.Event()
    complaints: Complaints = []

    def run() -> None:
        while not stop.wait(pause_seconds):
            complaint = what()
            if complaint is not None:
                complaints.append(complaint)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield complaints
    finally:
        stop.set()
        thread.join()


def shell(text: str, *, env: Mapping[str, str], cwd: Path) -> Callable[[], str | None]:
    """One run of a command line; complains of an exit status."""

    def run() -> str | None:
        ended = subprocess.run(
            ["sh", "-c", text],
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=RUN_SECONDS,
            check=False,
        )
        return f"exit status {ended.returncode}" if ended.returncode else None

    return run


def request(url: str) -> Callable[[], str | None]:
    """One request; complains of everything but 200."""

    def run() -> str | None:
        try:
            status = ask("GET", url).status
        except OSError as error:
            return type(error).__name__
        return None if status == 200 else f"status {status}"

    return run


def looped(program: Path) -> list[str | Path]:
    """The command line that calls a Python program's `call_api` until its standard input ends."""
    return [sys.executable, looping.__file__, program]


@contextmanager
def lasting(argv: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path) -> Iterator[Complaints]:
    """A program that ends with its standard input; complains of each line on standard error, and of an exit status."""
    log = cwd / "log"
    complaints: Complaints = []
    with log.open("wb") as errors:
        process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors, env=dict(env), cwd=cwd
        )
    try:
        yield complaints
    finally:
        process.communicate(timeout=RUN_SECONDS)  # closes its standard input
        complaints += log.read_text().splitlines()
        if process.returncode:
            complaints.append(f"exit status {process.returncode}")
