"""Another user who exchanges a directory entry for a symbolic link, as fast as the kernel allows.

Owns: both sides. `python -m tests.publishing.attacker ENTRY DECOY` becomes that user, says `ready`, exchanges the two
names for ever, and on end of standard input says how often. Refuses to know: where the link leads, and whether anybody
falls for it.
"""

from __future__ import annotations

import ctypes
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

NOBODY: Final = 65534
REPOSITORY: Final = Path(__file__).parents[2]
_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 2
_BETWEEN_LOOKS: Final = 50


class Attacker:
    """The parent's side: how often it exchanged, once it ended."""

    exchanges = 0


@contextmanager
def attacker(entry: Path, decoy: Path) -> Iterator[Attacker]:
    """Exchange the two names until the block ends. `decoy` stands first under its own name."""
    attack = Attacker()
    with subprocess.Popen(
        [sys.executable, "-m", "tests.publishing.attacker", str(entry), str(decoy)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert "ready\n" == process.stdout.readline()
        try:
            yield attack
        finally:
            process.stdin.close()
            attack.exchanges = int(process.stdout.readline())


def main() -> None:
    """The child's side. After an even number of exchanges everything is as it was."""
    entry, decoy = (os.fsencode(path) for path in sys.argv[1:])
    exchange = ctypes.CDLL(None, use_errno=True).renameat2
    exchanges = 0
    os.setgroups([])  # not before: this user may be unable to read the interpreter and this repository
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while not select.select([0], [], [], 0)[0]:
        for _ in range(_BETWEEN_LOOKS):
            exchanges += not exchange(_AT_FDCWD, entry, _AT_FDCWD, decoy, _RENAME_EXCHANGE)
    sys.stdout.write(f"{exchanges}\n")


if __name__ == "__main__":
    main()
