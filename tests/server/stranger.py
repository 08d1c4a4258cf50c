"""A client under another uid: a program, since credentials are those of the process that connects.

usage: stranger.py SOCKET UID GID[,GID...] ABSTRACT_NAME < request > response
"""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress

SECONDS = 60.0


def main() -> None:
    """Drop privileges after the imports, connect, send standard input, print what comes back."""
    path, uid, gids, name = sys.argv[1:]
    groups = [int(gid) for gid in gids.split(",")]
    os.setgroups(groups[1:])
    os.setresgid(groups[0], groups[0], groups[0])
    os.setresuid(int(uid), int(uid), int(uid))
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(SECONDS)
        if name:
            connection.bind(f"\0{name}")
        connection.connect(path)
        with suppress(BrokenPipeError):  # a server that turns us away does not wait for the request
            connection.sendall(sys.stdin.buffer.read())
            if not name:
                connection.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):  # nor does it read it
            while chunk := connection.recv(65536):
                sys.stdout.buffer.write(chunk)


if __name__ == "__main__":
    main()
