"""A file sink in a process of its own: to be traced, limited and killed.

Owns: both sides of the conversation. `python -m tests.sinks.publisher_process PATH` reads lines on standard
input, `publish NUMBER FILL`, `limit BYTES` or `warnings`, and answers each with `ok`, `error: MESSAGE` or the
warnings so far. Refuses to know: what is expected.
"""

from __future__ import annotations

import ctypes
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, cast

from broker.api import LifeCycle, SinkError
from broker.testing.observer import RecordingObserver
from tests.sinks.publishing import publication, sink_for

REPOSITORY: Final = Path(__file__).parents[2]
_PR_SET_PTRACER: Final = 0x59616D61
_ANYBODY: Final = -1


class PublisherProcess:
    """The parent's side."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    def publish(self, number: int, *, fill: int = 0) -> str:
        """`ok`, `error: MESSAGE`, or nothing when the process died of it."""
        return self.ask(f"publish {number} {fill}")

    def ask(self, line: str) -> str:
        """Send one line and read one."""
        stdin, stdout = cast("IO[str]", self._process.stdin), cast("IO[str]", self._process.stdout)
        stdin.write(line + "\n")
        stdin.flush()
        return stdout.readline().strip()


@contextmanager
def publisher_process(
    path: Path, *, wrapper: tuple[str, ...] = (), umask: int = 0o077
) -> Iterator[PublisherProcess]:
    """Start one, wait until it listens, end it. `wrapper` is a command that runs its arguments.

    The umask is the daemon's own by default.
    """
    with subprocess.Popen(
        [*wrapper, sys.executable, "-m", "tests.sinks.publisher_process", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        umask=umask,
    ) as process:
        publisher = PublisherProcess(process)
        try:
            assert "ok" == publisher.ask("limit -1")
            yield publisher
        finally:
            process.kill()


def main() -> None:
    """The child's side."""
    observer = RecordingObserver()
    sink = sink_for(Path(sys.argv[1]), observer=observer)
    ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANYBODY, 0, 0, 0)
    for line in sys.stdin:
        command, *numbers = line.split()
        answer = "ok"
        if command == "limit":
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(numbers[0]), resource.RLIM_INFINITY))
        elif command == "warnings":
            answer = " | ".join(event.message for event in observer.of(LifeCycle))
        else:
            try:
                sink.publish(publication(int(numbers[0]), fill=int(numbers[1])))
            except SinkError as error:
                answer = f"error: {error}"
        sys.stdout.write(answer + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
