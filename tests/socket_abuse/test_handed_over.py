"""A socket that systemd listens on: the daemon is restarted, and no client notices (R-149, R-131)."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.daemon.restarting import KEY_FILE, write_key
from tests.daemon.running import COMMAND, Daemon, environment, local_tables, store
from tests.packaging.project import ROOT
from tests.scale import scaled
from tests.server.running import Client, request
from tests.socket_abuse.conftest import Tell
from tests.waiting import eventually

pytestmark = [pytest.mark.sockets, pytest.mark.soak]

HOLDING = Path(__file__).with_name("holding.py")
GET = request("/v1/tokens/deploy?wait=20s", "GET", "Connection: close")
HAMMERS = 4


class HandedOver(Daemon):
    """The daemon on a socket that this process holds."""

    listening: socket.socket

    def start(self) -> Daemon:
        number = str(self.listening.fileno())
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-I", str(HOLDING), number, "token-broker", *COMMAND, "run"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[self.listening.fileno()],
                env=environment({"TOKEN_BROKER_CONFIG": str(self.config), "PYTHONPATH": str(ROOT)}),
            )
        return self


@pytest.fixture
def daemon(place: Path, server: DevelopmentAuthorizationServer) -> Iterator[HandedOver]:
    """Not started yet; it keeps its token over restarts."""
    write_key(place / "cache-key")
    store(place, server.register("deploy", lifetime_seconds=43_200).reveal())
    prepared = HandedOver(place, KEY_FILE.format(directory=place) + local_tables(server, place))
    prepared.socket = place / "s"
    with socket.socket(socket.AF_UNIX) as prepared.listening:
        prepared.listening.bind(str(prepared.socket))
        prepared.listening.listen()
        yield prepared
        prepared.__exit__()


@contextmanager
def hammering(path: Path) -> Iterator[Counter[str]]:
    """Clients that each ask over a connection of their own, all the time; what became of their questions."""
    seen: Counter[str] = Counter()
    over = threading.Event()

    def hammer() -> None:
        while not over.is_set():
            outcome = one_question(path)
            seen[outcome] += 1  # one statement of one thread at a time: the interpreter's lock
            over.wait(0.002)

    hammers = [threading.Thread(target=hammer) for _ in range(HAMMERS)]
    for thread in hammers:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        for thread in hammers:
            thread.join()


def one_question(path: Path) -> str:
    """The status, or how it was refused."""
    try:
        with Client(path) as client:
            client.socket.settimeout(30)
            client.send(GET)
            return str(client.receive().status)
    except OSError as error:
        return f"{type(error).__name__}: {error}"


def test_restarts_refuse_nobody(
    daemon: HandedOver, server: DevelopmentAuthorizationServer, tell: Tell
) -> None:
    """R-149: over 20 restarts each client that connects is answered with the token, and nothing is minted."""
    daemon.start()
    daemon.wait_for(state="fresh")
    eventually((daemon.directory / "state" / "cache" / "deploy.jwe").exists, what="the cache is written")
    before = server.ledger.count("token")
    longest = 0.0
    with hammering(daemon.socket) as seen:
        for _ in range(scaled(short=20, whole=200)):
            answered = seen["200"]
            eventually(lambda answered=answered: seen["200"] > answered + 50, what="clients are served")  # type: ignore[misc]  # bound at once
            code, seconds = daemon.stop()
            assert 0 == code
            longest = max(longest, seconds)
            daemon.start()
    assert {"200"} == set(seen)
    assert before == server.ledger.count("token")
    assert daemon.socket.is_socket()
    assert str(daemon.socket) in {line["message"] for line in daemon.lines("life_cycle")}
    tell(f"{seen.total()} clients over restarts, longest stop {longest:.2f} s: {dict(seen)}")


def unix_datagram() -> socket.socket:
    """Of the right family, and the wrong type."""
    return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)


def not_listening() -> socket.socket:
    """Nobody could connect."""
    return socket.socket(socket.AF_UNIX)


def over_tcp() -> socket.socket:
    """Anybody could."""
    found = socket.socket(socket.AF_INET)
    found.bind(("127.0.0.1", 0))
    found.listen()
    return found


@pytest.mark.parametrize("make", [unix_datagram, not_listening, over_tcp])
def test_what_cannot_be_ours_is_refused(daemon: HandedOver, make: Callable[[], socket.socket]) -> None:
    """R-131: another kind of socket is a fault of the .socket unit, and told as one; it is not served."""
    own = daemon.listening
    with make() as daemon.listening:
        process = daemon.start().process
        assert process is not None
        assert os.EX_CONFIG == process.wait(60)
    daemon.listening = own
    assert "not a listening Unix stream socket: check the .socket unit" in daemon.log.read_text()
    assert daemon.socket.is_socket()
