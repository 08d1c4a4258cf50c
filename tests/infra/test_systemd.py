"""What systemd is told and what it hands over."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.infra.systemd import Notifier, listening_sockets, watchdog_seconds

PID = 4711


class Manager:
    """Receives notifications at `address`."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(5)
        self.socket.bind(address)

    def datagram(self) -> str:
        return self.socket.recv(4096).decode()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """A service manager that listens on a path."""
    manager = Manager(str(tmp_path / "notify"))
    yield manager
    manager.socket.close()


@pytest.fixture
def notifier(manager: Manager) -> Notifier:
    """A notifier that reports to it."""
    return Notifier({"NOTIFY_SOCKET": manager.socket.getsockname()})


def test_ready(manager: Manager, notifier: Notifier) -> None:
    """Readiness and the status line come in one datagram."""
    notifier.ready("2 tokens\nfresh")
    assert "READY=1\nSTATUS=2 tokens fresh" == manager.datagram()


def test_reloading(manager: Manager, notifier: Notifier) -> None:
    """The time of CLOCK_MONOTONIC comes in the same datagram (R-145)."""
    before = time.monotonic_ns() // 1000
    notifier.reloading()
    match = re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=([0-9]+)", manager.datagram())
    assert match
    assert before <= int(match[1]) <= time.monotonic_ns() // 1000


def test_others(manager: Manager, notifier: Notifier) -> None:
    """Stopping, a status of one line, a sign of life."""
    notifier.stopping()
    notifier.status("waiting for\n\nvault")
    notifier.watchdog()
    assert ["STOPPING=1", "STATUS=waiting for vault", "WATCHDOG=1"] == [manager.datagram() for _ in range(3)]


def test_abstract_address() -> None:
    """An @ stands for the NUL of an abstract address."""
    manager = Manager(f"\0token-broker-test-{os.getpid()}")
    Notifier({"NOTIFY_SOCKET": f"@token-broker-test-{os.getpid()}"}).stopping()
    assert "STOPPING=1" == manager.datagram()
    manager.socket.close()


@pytest.mark.parametrize("address", ["", "relative", "/nowhere/notify", "vsock:2:1234"])
def test_without_a_manager(address: str) -> None:
    """Nobody to tell, or nobody there: not our problem."""
    Notifier({"NOTIFY_SOCKET": address}).ready("fine")


@pytest.mark.parametrize(
    ("expected", "environment"),
    [
        (30.0, {"WATCHDOG_USEC": "30000000"}),
        (30.0, {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(PID)}),
        (None, {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}),
        (None, {"WATCHDOG_USEC": "0"}),
        (None, {"WATCHDOG_USEC": "soon"}),
        (None, {}),
    ],
)
def test_watchdog(expected: float | None, environment: dict[str, str]) -> None:
    """How often a sign of life is wanted, if it is wanted from this process."""
    assert expected == watchdog_seconds(environment, pid=PID)


@pytest.mark.parametrize(
    "environment", [{}, {"LISTEN_PID": "1", "LISTEN_FDS": "1"}, {"LISTEN_PID": str(PID), "LISTEN_FDS": "0"}]
)
def test_no_activation(environment: dict[str, str]) -> None:
    """Descriptors for another process, or none, are none."""
    assert {} == listening_sockets(environment, pid=PID)


ACTIVATED = """
import os, socket, sys
from broker.infra.systemd import listening_sockets
kind, names = sys.argv[1:]
if kind == "file":
    first = os.open(os.devnull, os.O_RDONLY)
else:
    made = socket.socket(socket.AF_INET if kind == "tcp" else socket.AF_UNIX)
    if kind != "tcp":
        made.bind(f"\\0token-broker-activated-{os.getpid()}")
    if kind != "deaf":
        made.listen()
    first = made.detach()
os.dup2(first, 9)
os.dup2(9, 3)
os.dup2(9, 4)
environment = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(max(1, len(names.split(":"))))}
if names:
    environment["LISTEN_FDNAMES"] = names
try:
    found = listening_sockets(environment, pid=os.getpid())
except ValueError as error:
    print("refused:", error)
else:
    print(sorted((name, one.fileno(), os.get_inheritable(one.fileno())) for name, one in found.items()))
"""


@pytest.mark.parametrize(
    ("expected", "kind", "names"),
    [
        ("[('unknown', 3, False)]", "unix", ""),
        ("[('api', 3, False), ('ops', 4, False)]", "unix", "api:ops"),
        ("refused: two inherited descriptors are named api", "unix", "api:api"),
        ("refused: the inherited descriptor api is not a listening Unix stream socket", "tcp", "api"),
        ("refused: the inherited descriptor api is not a listening Unix stream socket", "deaf", "api"),
        (
            "refused: the inherited descriptor api is not a socket: Socket operation on non-socket",
            "file",
            "api",
        ),
    ],
)
def test_activation(expected: str, kind: str, names: str) -> None:
    """Inherited descriptors are checked, named, and not passed on to programs that we start (R-131)."""
    output = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ACTIVATED, kind, names],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert expected == output.strip()
