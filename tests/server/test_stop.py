"""The end of the server: who is there is answered, and nobody keeps it from ending."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest

from tests.server.conftest import Serve, Served
from tests.server.running import Client, request
from tests.waiting import eventually

GET = request("/v1/tokens/deploy")


def open_connections(served: Served) -> int:
    """How many there are."""
    listener = served.server._listener
    assert listener is not None
    return len(listener.connections)


def test_stop_ends_everything(serve: Serve) -> None:
    """Idle, half-read and silent connections end when the server stops, those who wait are told, the name is gone."""
    served = serve()
    served.mint("deploy")
    with ExitStack() as stack:
        idle, silent, half, waiting = (stack.enter_context(served.client()) for _ in range(4))
        assert 200 == idle.ask("/v1/tokens/deploy").status
        half.send(GET[:10])
        waiting.send(request("/v1/tokens/other?wait=30s"))
        eventually(lambda: served.reader.waiting, what="a caller waits")
        served.loop.run(served.server.stop())
        answer = waiting.receive()
        assert (503, "starting", "close") == (
            answer.status,
            answer.json["code"],
            answer.headers["connection"],
        )
        assert [b""] * 4 == [client.rest() for client in (idle, silent, half, waiting)]
    assert not served.path.exists()
    with pytest.raises(FileNotFoundError):
        Client(served.path)


def test_who_was_let_in_is_answered_at_the_end(served: Served) -> None:
    """A client that was accepted as the server stops may still ask, and reads the whole answer (R-149)."""

    async def stopping() -> None:
        stop = asyncio.ensure_future(served.server.stop())
        await asyncio.sleep(0)
        for client in (late, half):
            client.send(GET[9:] if client is half else GET)
        await stop

    with served.client() as late, served.client() as half:
        half.send(GET[:9])
        eventually(lambda: served.loop.do(lambda: open_connections(served)) == 2, what="both are let in")
        served.loop.run(stopping())
        answers = [client.receive() for client in (late, half)]
        assert [(200, "close")] * 2 == [(answer.status, answer.headers["connection"]) for answer in answers]
        assert [b"", b""] == [late.rest(), half.rest()]


def test_a_connection_that_comes_in_the_last_moment(served: Served) -> None:
    """One that was accepted in the very turn of the loop in which the server stops does not keep it from stopping."""

    async def stopping() -> Client:
        client = served.client()
        listener = served.server._listener
        assert listener is not None
        listener._accept()
        await served.server.stop()
        return client

    with served.loop.run(stopping()) as client:
        assert b"" == client.rest()
