"""Start and stop of the server as a whole: inherited sockets, a herd at boot."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from broker.server.peer import AccessRule
from broker.server.routes import MOST_WAITERS
from broker.server.unix import UnixServer
from tests.server.conftest import Served
from tests.server.fakes import FakeReader, ManualClock, Observed
from tests.server.running import Client, request, running_loop
from tests.waiting import eventually

GET = request("/v1/tokens/deploy")


@pytest.fixture
def inherited(socket_directory: Path) -> Iterator[socket.socket]:
    """A socket that systemd listens on."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(socket_directory / "s"))
        listening.listen()
        yield listening


async def start(inherited: socket.socket) -> UnixServer:
    """A daemon that was handed the socket."""
    clock = ManualClock()
    reader = FakeReader(clock, "deploy")
    reader.mint("deploy")
    server = UnixServer(
        path=Path("/unused"),
        mode=0o600,
        gid=None,
        reader=reader,
        rules={"deploy": AccessRule()},
        observer=Observed(),
        clock=clock,
        inherited=inherited,
    )
    await server.start()
    return server


def test_a_restart_refuses_nobody(inherited: socket.socket) -> None:
    """A client that comes between two daemons is answered by the second, on a socket that stays (R-149)."""
    path = Path(inherited.getsockname())
    with running_loop() as loop:
        first = loop.run(start(inherited))
        with Client(path) as client:
            assert 200 == client.ask("/v1/tokens/deploy").status
        loop.run(first.stop())
        with Client(path) as between:
            between.send(GET)
            second = loop.run(start(inherited))
            assert 200 == between.receive().status
        loop.run(second.stop())
    assert path.is_socket()


def test_a_herd_at_boot(served: Served) -> None:
    """A hundred callers wait for the first mint and are all served; more are told to come back (R-139)."""
    with ExitStack() as stack:
        herd = [stack.enter_context(served.client()) for _ in range(MOST_WAITERS)]
        for client in herd:
            client.send(request("/v1/tokens/other?wait=10s"))
        eventually(lambda: served.reader.waiting == MOST_WAITERS, what="all of them wait")
        with served.client() as late:
            assert 503 == late.ask("/v1/tokens/other?wait=10s").status
            assert 200 == late.ask("/v1/tokens/deploy").status
        served.mint("other", "S3CR3T-other")
        assert {200} == {client.receive().status for client in herd}


def test_stopping_twice(served: Served) -> None:
    """Stop is idempotent."""
    for _ in range(2):
        served.loop.run(served.server.stop())
