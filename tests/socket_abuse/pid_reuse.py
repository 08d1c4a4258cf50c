"""Process ids used again on purpose, in a pid namespace of our own: a program, run by `unshare --pid`.

usage: pid_reuse.py SOCKET CGROUP ROUNDS

Starts the server in this namespace; `CGROUP` is that of reader.service. In each round a process of no unit connects
and ends, and the next process that gets its number is one of the unit; then the question is asked on the connection
of the dead. Prints a line of JSON: the statuses, and how often the number really was used again.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

UID = 1000
GET = b"GET /v1/tokens/deploy HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST_PID = Path("/proc/sys/kernel/ns_last_pid")


def main() -> None:
    """Play the rounds."""
    path, cgroup, rounds = sys.argv[1], Path(sys.argv[2], "cgroup.procs"), int(sys.argv[3])
    command = [sys.executable, "-m", "tests.server.serving", path, "reader.service"]
    with subprocess.Popen(command) as server:
        try:
            until(lambda: Path(path).is_socket())
            member = control(path, cgroup)
            seen: Counter[str] = Counter()
            for _ in range(rounds):
                seen[one_round(path, cgroup)] += 1
            sys.stdout.write(json.dumps({"member": member, "seen": seen}))
        finally:
            server.terminate()


def control(path: str, cgroup: Path) -> str:
    """What a process of the unit is answered that asks itself, and then runs another program."""
    connection = socket.socket(socket.AF_UNIX)

    def ask() -> None:
        cgroup.write_text("0")
        become_user()
        connection.connect(path)
        os.execv("/bin/sleep", ["sleep", "60"])

    child = forked(ask)
    until(lambda: Path(f"/proc/{child}/comm").read_text() == "sleep\n")
    status = asked(connection)
    ended(child)
    return status


def one_round(path: str, cgroup: Path) -> str:
    """The status that the connection of a dead process is answered; `-` where its number was not used again."""
    connection = socket.socket(socket.AF_UNIX)
    ready, told = os.pipe()

    def connect() -> None:
        become_user()
        connection.connect(path)

    def join() -> None:
        cgroup.write_text("0")
        os.write(told, b".")
        signal.pause()

    dead = forked(connect)
    os.waitpid(dead, 0)
    LAST_PID.write_text(str(dead - 1))
    heir = forked(join)
    os.read(ready, 1)
    status = asked(connection) if heir == dead else "-"
    ended(heir)
    os.close(ready)
    os.close(told)
    return status


def asked(connection: socket.socket) -> str:
    """The status of the answer."""
    with connection:
        connection.settimeout(10)
        connection.sendall(GET)
        return connection.recv(65536)[9:12].decode()


def become_user() -> None:
    """Of no right."""
    os.setgroups([])
    os.setresgid(UID, UID, UID)
    os.setresuid(UID, UID, UID)


def forked(work: Callable[[], None]) -> int:
    """A child that does this and ends."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return child


def ended(child: int) -> None:
    """Gone, and its number free."""
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def until(met: Callable[[], bool]) -> None:
    """Wait for this."""
    while not met():
        time.sleep(0.01)  # noqa: TID251 - a program of its own, ended by the test's deadline


if __name__ == "__main__":
    main()
