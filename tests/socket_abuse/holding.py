"""Starts a program as systemd does: with a listening socket as descriptor 3, and the variables of sd_listen_fds(3).

usage: holding.py DESCRIPTOR NAME PROGRAM [ARGUMENT...]
"""

from __future__ import annotations

import os
import sys

FIRST = 3


def main() -> None:
    """Become the program."""
    descriptor, name, *program = sys.argv[1:]
    os.dup2(int(descriptor), FIRST, inheritable=True)
    listen = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": name}
    os.execve(program[0], program, {**os.environ, **listen})


if __name__ == "__main__":
    main()
