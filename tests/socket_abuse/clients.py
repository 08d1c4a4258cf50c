"""Clients of another user, well-behaved and not: a program, since credentials are those of the process that connects.

usage: clients.py KIND SOCKET UID COUNT

`asks` makes COUNT requests and ends; the other kinds keep COUNT connections at work until their standard input ends.
Each says `ready` first, and what it saw as a line of JSON in the end.
"""

from __future__ import annotations

import array
import itertools
import json
import os
import resource
import select
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from broker.client.wire import connect, converse

GET = b"GET /v1/tokens/deploy HTTP/1.1\r\nHost: localhost\r\n\r\n"
WATCH = b"GET /v1/watch HTTP/1.1\r\nHost: localhost\r\n\r\n"
ENDLESS_HEAD = b"GET /v1/tokens/deploy HTTP/1.1\r\nX: "
HANDED_OVER = 200  # the kernel takes 253 at once
PACE_SECONDS = 0.05
ASK_SECONDS = 0.005
PATIENCE_SECONDS = 30.0

TURN = itertools.count()
WATCHING: set[int] = set()

Act = Callable[[socket.socket], None]


def main() -> None:
    """Become that user and do as told."""
    kind, path, uid, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + 1000, count + 1000))
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    say("ready")
    if kind == "asks":
        found = asks(path, count)
    elif kind == "tries":
        found = tries(path)
    else:
        found = crowd(path, count, ACTS[kind])
    say(json.dumps(found))


def say(line: str) -> None:
    """To whoever started us."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def asks(path: str, count: int) -> dict[str, object]:
    """Ask again and again as our client does, half of the time over a connection of its own."""
    seconds, statuses = [], Counter[int]()
    kept = connect(path, time.monotonic() + PATIENCE_SECONDS)
    for number in range(count):
        began = time.monotonic()
        deadline = began + PATIENCE_SECONDS
        one = kept if number % 2 else connect(path, deadline)
        statuses[converse(one, GET, deadline, path).status] += 1
        seconds.append(time.monotonic() - began)
        if one is not kept:
            one.close()
        select.select([], [], [], ASK_SECONDS)
    seconds.sort()
    return {
        "statuses": statuses,
        "p99_ms": 1000 * seconds[len(seconds) * 99 // 100],
        "most_ms": 1000 * seconds[-1],
    }


def tries(path: str) -> dict[str, object]:
    """Connect to whatever appears beside the socket, all the time."""
    directory = os.path.dirname(path)  # noqa: PTH120 - one string operation for each of very many attempts
    attempts, opened = 0, list[str]()
    while not select.select([sys.stdin], [], [], 0)[0]:
        for name in os.listdir(directory):  # noqa: PTH208
            one = socket.socket(socket.AF_UNIX)
            attempts += 1
            try:
                one.connect(f"{directory}/{name}")
                opened.append(name)
            except OSError:
                continue
            finally:
                one.close()
    return {"attempts": attempts, "opened": opened}


def crowd(path: str, count: int, act: Act) -> dict[str, object]:
    """Keep so many connections at work; those that end are made again."""
    connections: list[socket.socket | None] = [None] * count
    opened = 0
    while not select.select([sys.stdin], [], [], PACE_SECONDS)[0]:
        for place, one in enumerate(connections):
            if one is None:
                connections[place] = begun(path)
                opened += connections[place] is not None
                continue
            try:
                act(one)
            except BlockingIOError:
                pass  # it does not read
            except OSError:
                one.close()
                connections[place] = None
    return {"opened": opened}


def begun(path: str) -> socket.socket | None:
    """A connection, or None while the queue is full."""
    one = socket.socket(socket.AF_UNIX)
    one.settimeout(0)
    try:
        one.connect(path)
    except OSError:
        one.close()
        return None
    return one


def slow(one: socket.socket) -> None:
    """A byte at a time of a head that never ends."""
    one.send(ENDLESS_HEAD[:1])


def deaf(one: socket.socket) -> None:
    """Asks and never reads."""
    one.send(GET * 20)


def hands_over(one: socket.socket) -> None:
    """Sends descriptors along, with whole requests and with the beginnings of some."""
    here = array.array("i", [one.fileno()] * HANDED_OVER)
    with suppress(BlockingIOError):
        one.recv(65536)
    one.sendmsg([GET[: one.fileno() % 60 + 1]], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, here)])


def idles(one: socket.socket) -> None:
    """Is there; one that was turned away comes again."""
    if not one.recv(65536):
        raise ConnectionError


def aborts(one: socket.socket) -> None:
    """Asks and is gone before the answer, or in the middle of the question."""
    whole = next(TURN) % 2
    one.send(GET if whole else GET[:20])
    raise ConnectionError


def watches(one: socket.socket) -> None:
    """Asks for the stream, once, and never reads it."""
    if one.fileno() not in WATCHING:
        WATCHING.add(one.fileno())
        one.send(WATCH)
    elif not one.recv(1, socket.MSG_PEEK):
        raise ConnectionError


ACTS: dict[str, Act] = {
    "slow": slow,
    "deaf": deaf,
    "hands_over": hands_over,
    "idles": idles,
    "aborts": aborts,
    "watches": watches,
}

if __name__ == "__main__":
    main()
