"""Processes that look at a token file as fast as they can.

Owns: both sides of two programs, which end with standard input. `python -m tests.publishing.onlooker read PATH COUNT`
reads the file, says when it did COUNT times, and reports how many reads found no file, how many no whole token, and how
many different ones were seen. `... watch PATH` looks at owner, group and mode of everything in the directory.
Refuses to know: who publishes.
"""

from __future__ import annotations

import json
import os
import select
import stat
import subprocess
import sys
from pathlib import Path
from typing import IO, Any, Final, cast

from tests.sinks.publishing import WHOLE_TOKEN

REPOSITORY: Final = Path(__file__).parents[2]
ENOUGH: Final = "enough\n"
_BETWEEN_LOOKS: Final = 50


class Onlooker:
    """The parent's side of one process."""

    def __init__(self, what: str, path: Path, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.publishing.onlooker", what, str(path), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
        )
        assert "ready\n" == cast("IO[str]", self._process.stdout).readline()

    @property
    def has_enough(self) -> bool:
        """Whether a reader has read as often as it should, at least."""
        return bool(select.select([cast("IO[str]", self._process.stdout)], [], [], 0)[0])

    def report(self) -> Any:
        """What it saw, after it was told to end."""
        answer, _ = self._process.communicate()
        return json.loads(answer.removeprefix(ENOUGH))


def read(path: str, count: int) -> dict[str, int]:
    """Read the whole file again and again."""
    reads = missing = torn = 0
    seen: set[bytes] = set()
    while not _told_to_end():
        if reads < count <= reads + _BETWEEN_LOOKS:
            sys.stdout.write(ENOUGH)
            sys.stdout.flush()
        for _ in range(_BETWEEN_LOOKS):
            reads += 1
            try:
                descriptor = os.open(path, os.O_RDONLY)
            except FileNotFoundError:
                missing += 1
                continue
            content = os.read(descriptor, 65_536)
            os.close(descriptor)
            if WHOLE_TOKEN.fullmatch(content):
                seen.add(content[:14])
            else:
                torn += 1
    return {"reads": reads, "missing": missing, "torn": torn, "different": len(seen)}


def watch(path: str) -> dict[str, list[str]]:
    """Who could read the file, and what else stood beside it."""
    directory, name = os.path.split(path)
    token: set[str] = set()
    beside: set[str] = set()
    while not _told_to_end():
        for _ in range(_BETWEEN_LOOKS):
            for entry in os.listdir(directory):  # noqa: PTH208 - as fast as can be
                try:
                    status = os.lstat(f"{directory}/{entry}")
                except FileNotFoundError:
                    continue
                access = f"{stat.S_IMODE(status.st_mode):04o} {status.st_uid} {status.st_gid}"
                (token if entry == name else beside).add(access)
    return {"token": sorted(token), "beside": sorted(beside)}


def _told_to_end() -> bool:
    return bool(select.select([0], [], [], 0)[0])


def main() -> None:
    """The child's side."""
    what, path, *arguments = sys.argv[1:]
    os.nice(10)  # whoever publishes shall get to it, so that there is something to see
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    report: object = read(path, int(arguments[0])) if what == "read" else watch(path)
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main()
