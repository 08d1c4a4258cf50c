"""`broker.client.aio`: what a client on an event loop has beyond its synchronous twin."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from broker.client import AccessDenied, BrokerUnreachable, UnexpectedAnswer, aio
from tests.client.fake_broker import fake_broker
from tests.client.socket_api import always, answer, socket_api
from tests.waiting import eventually_async


@pytest.mark.parametrize(
    "loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)
def test_tasks_share_connections_without_sharing_one(
    socket_file: Path, loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """A hundred at once get their own answers; a few connections are kept for those who come next."""

    async def body(path: str) -> list[str]:
        client = aio.TokenClient(path)
        names = ["deploy", "registry"] * 50
        await asyncio.gather(*(client.reject(name, fingerprint="0" * 16) for name in names))
        tokens = await asyncio.gather(*(client.get(name, min_valid=9999) for name in names))
        client.close()
        return [token.name for token in tokens]

    with (
        fake_broker(socket_file, "deploy", "registry") as broker,
        asyncio.Runner(loop_factory=loop_factory) as runner,
    ):
        assert ["deploy", "registry"] * 50 == runner.run(body(str(socket_file)))
        assert broker.connections <= 200


def test_a_cancelled_task_takes_its_connection_with_it(socket_file: Path) -> None:
    """The answer that it did not read must not be the next one's."""

    async def body(listener: socket.socket) -> None:
        client = aio.TokenClient(str(socket_file))
        task = asyncio.create_task(client.get("deploy"))
        loop = asyncio.get_running_loop()
        connection, _ = await loop.sock_accept(listener)
        with connection:
            connection.settimeout(0)
            assert (await loop.sock_recv(connection, 4096)).startswith(b"GET /v1/tokens/deploy ")
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert b"" == await loop.sock_recv(connection, 1)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(socket_file))
        listener.listen()
        listener.settimeout(0)
        asyncio.run(body(listener))


def test_a_broker_that_says_nothing_is_given_up_on(socket_file: Path) -> None:
    """After the same time as by the synchronous client."""

    async def body() -> None:
        client = aio.TokenClient(str(socket_file))
        with pytest.raises(BrokerUnreachable, match=r"no answer from .* in time"):
            await client._session.ask("GET", "/v1/status", 0.05)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(socket_file))
        listener.listen()
        asyncio.run(body())


def test_waiting_for_a_broker_does_not_stop_the_loop(socket_file: Path) -> None:
    """Others run while it is not up yet."""

    async def body() -> int:
        client = aio.TokenClient(str(socket_file))
        waiting = asyncio.create_task(client.get("deploy", wait=30))
        await eventually_async(lambda: not waiting.done(), what="a turn of the loop")
        with fake_broker(socket_file):
            return (await waiting).revision

    assert 1 == asyncio.run(body())


@pytest.mark.parametrize("left_behind", [True, False])
def test_a_socket_without_a_broker_is_told(socket_file: Path, *, left_behind: bool) -> None:
    """Missing, or left behind by one that was killed."""
    if left_behind:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(socket_file))
    with pytest.raises(BrokerUnreachable, match="nobody listens" if left_behind else "there is no socket"):
        asyncio.run(aio.TokenClient(str(socket_file)).get("deploy"))


def test_a_full_backlog_is_tried_again_and_then_told(socket_file: Path) -> None:
    """The kernel turns away who comes when the queue is full; asyncio would call that connected."""
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(str(socket_file))
        listener.listen(0)
        first.connect(str(socket_file))
        with pytest.raises(BrokerUnreachable, match="cannot connect"):
            asyncio.run(aio.TokenClient(str(socket_file)).get("deploy"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who is shut out")
def test_a_socket_that_is_closed_to_us_is_a_denial(socket_file: Path) -> None:
    """It will not pass by itself."""
    with socket_api(socket_file, always(answer(200, b"{}"))):
        socket_file.chmod(0o600)
        socket_file.parent.chmod(0o755)
        os.seteuid(65534)
        try:
            with pytest.raises(AccessDenied):
                asyncio.run(aio.TokenClient(str(socket_file)).get("deploy"))
        finally:
            os.seteuid(0)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}"])
def test_an_answer_without_a_token_is_not_taken_for_one(socket_file: Path, body: bytes) -> None:
    """A stranger at the socket is not the broker."""
    with socket_api(socket_file, always(answer(200, body))), pytest.raises(UnexpectedAnswer):
        asyncio.run(aio.TokenClient(str(socket_file)).get("deploy"))
