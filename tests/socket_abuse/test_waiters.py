"""A thousand readers want a token that has expired: one mint serves them all (R-034, R-139)."""

from __future__ import annotations

import asyncio
import resource
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from broker.client import TokenClientError, aio
from broker.dev import faults
from broker.dev.authorization_server import DevelopmentAuthorizationServer
from broker.server.routes import MOST_WAITERS
from tests.daemon.running import Daemon, local_tables, store
from tests.scale import scaled
from tests.server.running import Client, request
from tests.socket_abuse.conftest import Tell
from tests.waiting import eventually

pytestmark = pytest.mark.sockets

READERS = 1000
LEAVING = 50
MINT_SECONDS = 2.0


@pytest.fixture
def expired(place: Path, server: DevelopmentAuthorizationServer) -> Iterator[Daemon]:
    """A daemon whose token has expired while the authorization server was broken; it is well again, and slow."""
    store(place, server.register("deploy", lifetime_seconds=3).reveal())
    with Daemon(place, local_tables(server, place)) as running:
        running.wait_for(state="fresh")
        server.fault("token", "500")
        running.wait_for(state="expired")
        server.clear()
        server.set_lifetime("deploy", 3600)
        server.fault("token", faults.delay(MINT_SECONDS))
        yield running


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """For a thousand sockets of our own."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(before[1], 4 * READERS), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("many_descriptors")
def test_one_mint_serves_a_thousand(
    expired: Daemon, server: DevelopmentAuthorizationServer, tell: Tell
) -> None:
    """R-034: 1000 concurrent reads of an expired token are one more line in the ledger, though some readers leave."""
    before = server.ledger.count("token")

    async def read() -> str:
        client = aio.TokenClient(str(expired.socket))
        try:
            return (await client.get("deploy", wait=240)).access_token
        finally:
            client.close()

    async def leave() -> None:
        try:
            await asyncio.wait_for(read(), MINT_SECONDS / 4)
        except (TimeoutError, TokenClientError):
            return

    async def all_of_them() -> list[str]:
        leaving = [asyncio.create_task(leave()) for _ in range(LEAVING)]
        found = await asyncio.gather(*(read() for _ in range(READERS)))
        await asyncio.gather(*leaving)
        return found

    began = time.monotonic()
    tokens = asyncio.run(all_of_them())
    assert 1 == len(set(tokens))
    assert before + 1 == server.ledger.count("token")
    tell(f"{READERS} readers of an expired token: one mint, {time.monotonic() - began:.1f} s in all")


def test_the_first_who_asks_may_leave(expired: Daemon, server: DevelopmentAuthorizationServer) -> None:
    """R-034: whose request began the mint does not end it by hanging up."""
    before = server.ledger.count("token")
    with Client(expired.socket) as first, Client(expired.socket) as second:
        first.send(request("/v1/tokens/deploy?wait=20s"))
        eventually(lambda: server.ledger.count("token") > before, what="the mint is under way")
        second.send(request("/v1/tokens/deploy?wait=20s"))
        first.socket.close()
        assert 200 == second.receive().status
    assert before + 1 == server.ledger.count("token")


@pytest.mark.soak
@pytest.mark.parametrize("wait", ["1s", *(["1000d"] if scaled(short=0, whole=1) else [])])
def test_waiting_has_an_end(expired: Daemon, server: DevelopmentAuthorizationServer, wait: str) -> None:
    """R-139: an answer when the time is over, 30 s at the most, while the server hangs; expired is never served."""
    server.clear()
    server.fault("token", "hang")
    began = time.monotonic()
    with Client(expired.socket) as client:
        client.socket.settimeout(40)
        client.send(request(f"/v1/tokens/deploy?wait={wait}"))
        answer = client.receive()
    least = 1 if wait == "1s" else 30
    assert least - 0.1 < time.monotonic() - began < least + 8
    assert 503 == answer.status
    assert answer.json["retry_after"] >= 1


def test_waiters_are_counted(expired: Daemon, server: DevelopmentAuthorizationServer) -> None:
    """R-139: a hundred wait for one token; who comes later is told at once to come again, and nobody else waits."""
    server.clear()
    server.fault("token", "hang")
    with ExitStack() as stack:
        crowd = [stack.enter_context(Client(expired.socket)) for _ in range(MOST_WAITERS + 50)]
        for client in crowd:
            client.send(request("/v1/tokens/deploy?wait=20s"))

        def answered() -> list[socket.socket]:
            return select.select([client.socket for client in crowd], [], [], 0)[0]

        eventually(lambda: len(answered()) >= 50, what="those beyond are told")
        began = time.monotonic()
        status, _ = expired.ask("/v1/status")
        assert 200 == status
        assert time.monotonic() - began < 5
        assert 50 == len(answered())
