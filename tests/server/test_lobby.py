"""Guests: clients that ask only what was asked before, in the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from broker.events import SocketServed
from broker.server.lobby import Guest
from broker.server.patience import Patience
from broker.server.unix import SocketLimits
from tests.server.conftest import Serve, Served
from tests.server.running import Client, request
from tests.waiting import eventually

GET = request("/v1/tokens/deploy")
LARGE = "S3CR3T-".ljust(400_000, "x")
"""More than a socket's buffer holds."""


@contextmanager
def guest(served: Served) -> Iterator[Client]:
    """A client whose first request was understood before."""
    with served.client() as first:
        assert 200 == first.ask("/v1/tokens/deploy").status
    with served.client() as client:
        assert 200 == client.ask("/v1/tokens/deploy").status
        yield client


def guests(served: Served) -> int:
    """How many there are."""
    listener = served.server._listener
    assert listener is not None
    return served.loop.do(lambda: sum(isinstance(held, Guest) for held in listener.connections))


def test_a_guest_that_stays(served: Served) -> None:
    """Who asks a few times remains a guest, who goes on asking moves on; each answer is counted."""
    with guest(served) as client:
        assert {200} == {client.ask("/v1/tokens/deploy").status for _ in range(5)}
        assert 1 == guests(served)
        assert {200} == {client.ask("/v1/tokens/deploy").status for _ in range(50)}
        assert 0 == guests(served)
    served.loop.do(served.server.flush)
    told = [event for event in served.observed.events if isinstance(event, SocketServed)]
    assert 57 == sum(event.count for event in told if (event.route, event.code) == ("get", 200))


def test_a_guest_that_leaves(served: Served) -> None:
    """Nothing of it is kept."""
    with guest(served):
        assert 1 == guests(served)
    eventually(lambda: guests(served) == 0, what="it is gone")


def test_a_guest_gets_the_token_as_it_is_now(served: Served) -> None:
    """The next revision once it is there, the seconds that are left, and nothing that has expired (R-140)."""
    with guest(served) as client:
        served.mint("deploy", "S3CR3T-next", expires_in=300)
        assert "S3CR3T-next" == client.ask("/v1/tokens/deploy").json["access_token"]
        left = client.ask("/v1/tokens/deploy").json["expires_in"]
        served.clock.advance(100.5)
        assert left - 101 == client.ask("/v1/tokens/deploy").json["expires_in"]
        served.clock.advance(199.5)
        assert 503 == client.ask("/v1/tokens/deploy").status


def test_a_guest_loses_a_right(served: Served) -> None:
    """Rights that change count for whoever is there."""
    with guest(served) as client:
        served.loop.do(lambda: served.server.replace_rules({}))
        assert 403 == client.ask("/v1/tokens/deploy").status


def test_a_guest_asks_for_something_else(served: Served) -> None:
    """It is answered in order, whatever it asks and in whatever pieces."""
    with guest(served) as client:
        client.send(GET[:20])
        client.send(GET[20:] + request("/x") + GET)
        assert [200, 404, 200] == [client.receive().status for _ in range(3)]
        assert 200 == client.ask("/v1/tokens/deploy").status
    with guest(served) as client:
        assert 202 == client.ask("/v1/tokens/deploy/renew", "POST").status
        assert 200 == client.ask("/v1/tokens/deploy").status


def test_pipelined(served: Served) -> None:
    """More than a turn's worth of what was asked before, then something else, then a request in two pieces."""
    with guest(served) as client:
        client.send(GET * 40 + request("/x") + GET[:20])
        assert [200] * 40 + [404] == [client.receive().status for _ in range(41)]
        client.send(GET[20:])
        assert 200 == client.receive().status


def test_half_closed(served: Served) -> None:
    """A guest that has shut its sending side still reads the answer."""
    with guest(served) as client:
        client.send(GET)
        client.socket.shutdown(1)
        assert 200 == client.receive().status
        assert b"" == client.rest()


def test_an_answer_that_does_not_fit(served: Served) -> None:
    """A token larger than the socket's buffer arrives whole, and the connection goes on."""
    served.mint("deploy", LARGE)
    with guest(served) as client:
        assert LARGE == client.ask("/v1/tokens/deploy").json["access_token"]


def test_guests_that_never_read(serve: Serve) -> None:
    """A guest with a full pipe is given up after the time for sending (F-37)."""
    served = serve(limits=SocketLimits(sweep_seconds=0.02, patience=Patience(send_seconds=0.1)))
    served.mint("deploy")
    with guest(served) as client:
        served.mint("deploy", LARGE)
        client.send(GET)
        eventually(lambda: guests(served) == 0, what="it has moved on")
        with pytest.raises(ConnectionError):
            eventually(lambda: client.send(b"G"), what="it is given up")


def test_idle_guests(serve: Serve) -> None:
    """One that asks nothing is sent away; one that asks is not (R-136)."""
    served = serve(limits=SocketLimits(sweep_seconds=3600.0))
    served.mint("deploy")

    with guest(served) as busy, served.client() as idle:
        eventually(lambda: guests(served) == 2, what="both are let in")
        entered = served.loop.now()
        eventually(lambda: served.loop.now() > entered + 0.2, what="a moment passes")
        assert 200 == busy.ask("/v1/tokens/deploy").status
        served.sweep(entered + Patience().idle_seconds + 0.1)
        assert b"" == idle.rest()
        assert 200 == busy.ask("/v1/tokens/deploy").status


def test_a_guest_that_does_not_read_its_answer(served: Served) -> None:
    """It is counted under 499 when it hangs up (R-143)."""

    def counted(code: int) -> int:
        served.loop.do(served.server.flush)
        return sum(e.count for e in served.observed.events if isinstance(e, SocketServed) and e.code == code)

    with guest(served) as client:
        client.send(GET)
        eventually(lambda: counted(200) == 3, what="the answer is sent")
    eventually(lambda: counted(499) == 1, what="it is counted")


def test_the_end_of_the_server(served: Served) -> None:
    """A guest that was answered is let go at once."""
    with guest(served) as client:
        served.loop.run(served.server.stop())
        assert b"" == client.rest()
