"""How consumers are kept at work: a command that is run again and again, a Python program that lasts, a server.

Owns: starting and ending them, and what they complained about. Refuses to know: what they do. Output is kept out of the
test's own: a program may print what it was answered.
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


def command(argv: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path) -> Callable[[], str | None]:
    """One run of a command; complains of an exit status."""

    def run() -> str | None:
        ended = subprocess.run(
            argv,
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


@contextmanager
def lasting(text: str, place: Path, *, env: Mapping[str, str]) -> Iterator[Complaints]:
    """A Python program with a function `call_api`, called again and again by one process."""
    place.with_suffix(".py").write_text(text)
    log = place.with_suffix(".log")
    complaints: Complaints = []
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, looping.__file__, place.with_suffix(".py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=dict(env),
        )
    try:
        yield complaints
    finally:
        process.communicate(timeout=RUN_SECONDS)  # closes its standard input
        complaints += log.read_text().splitlines()
        if process.returncode:
            complaints.append(f"exit status {process.returncode}")
