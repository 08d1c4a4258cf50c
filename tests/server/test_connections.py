"""HTTP on one connection: framing, order, and what is refused."""

from __future__ import annotations

import pytest

from broker.events import SocketServed
from tests.server.conftest import Serve, Served
from tests.server.running import request
from tests.waiting import eventually

GET = request("/v1/tokens/deploy")


def test_keep_alive(served: Served) -> None:
    """One connection serves many requests, and stays open after refusals."""
    with served.client() as client:
        assert [200, 403, 404, 200] == [
            client.ask(path).status
            for path in ("/v1/tokens/deploy", "/v1/tokens/nope", "/x", "/v1/tokens/deploy")
        ]


@pytest.mark.parametrize(
    "data",
    [
        b"GET /v1/tokens/deploy HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"GET /v1/tokens/deploy HTTP/1.0\r\n\r\n",
        b"GET /v1/tokens/deploy HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    ],
    ids=["close", "1.0", "upgrade"],
)
def test_the_last_request(served: Served, data: bytes) -> None:
    """A client that wants no more, or another protocol, is answered and then the connection ends."""
    with served.client() as client:
        client.send(data + GET)
        answer = client.receive()
        assert (200, "close") == (answer.status, answer.headers["connection"])
        assert b"" == client.rest()


def test_pipelining_is_answered_in_order(served: Served) -> None:
    """Requests sent at once come back in their order, also behind one that has to wait."""
    with served.client() as client:
        client.send(GET + request("/v1/tokens/other?wait=10s") + request("/x") + GET)
        assert 200 == client.receive().status
        eventually(lambda: served.reader.waiting, what="the second waits")
        served.mint("other", "S3CR3T-other")
        answers = [client.receive() for _ in range(3)]
    assert [200, 404, 200] == [answer.status for answer in answers]
    assert "S3CR3T-other" == answers[0].json["access_token"]


def test_a_thousand_pipelined_requests(served: Served) -> None:
    """More than a turn's worth, from a client that reads only afterwards."""
    with served.client() as client:
        client.send(GET * 1000)
        assert {200} == {client.receive().status for _ in range(1000)}


def test_byte_by_byte(served: Served) -> None:
    """A request may come in any pieces, and one that was seen before too."""
    with served.client() as client:
        assert 200 == client.ask("/v1/tokens/deploy").status
        for byte in GET:
            client.send(bytes((byte,)))
        assert 200 == client.receive().status
        client.send(GET[:20])
        client.send(GET[20:] + GET)
        assert [200, 200] == [client.receive().status, client.receive().status]


def test_empty_lines_before_a_request(served: Served) -> None:
    """They are ignored (RFC 9112 2.2)."""
    with served.client() as client:
        client.send(b"\r\n\r\n\r\n" + GET)
        assert 200 == client.receive().status


def test_half_closed(served: Served) -> None:
    """A client that has shut its sending side still gets its answer, also one that takes time."""
    with served.client() as client:
        client.send(request("/v1/tokens/other?wait=10s"))
        client.socket.shutdown(1)
        eventually(lambda: served.reader.waiting, what="the caller waits")
        served.mint("other", "S3CR3T-other")
        assert "S3CR3T-other" == client.receive().json["access_token"]
        assert b"" == client.rest()


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\r\n\r\n",
        b"GET http://localhost/v1/tokens/deploy HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /v1/tokens/deploy HTTP/1.1\r\n\r\n",
        b"GET /v1/tokens/deploy HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /v1/tokens/deploy HTTP/2.0\r\nHost: a\r\n\r\n",
        b"GET /v1/tokens/deploy HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /v1/tokens/deploy/renew HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /renew HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /v1/tokens/deploy/renew HTTP/1.1\r\nHost: a\r\nContent-Length: 4097\r\n\r\n",
        b"CONNECT localhost:80 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /" + b"x" * 4096 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 4096,
    ],
    ids=range(12),
)
def test_what_is_no_request(served: Served, data: bytes) -> None:
    """One 400 with the reason, then the end: nothing after it is taken for a request (R-142)."""
    with served.client() as client:
        client.send(data + GET)
        answer = client.receive()
        assert (400, "invalid_request") == (answer.status, answer.json["code"])
        assert b"" == client.rest()
    assert [] == served.reader.renewals


def test_a_head_of_just_4_kib(served: Served) -> None:
    """The limit is 4096 bytes, the empty line included (R-136)."""
    with served.client() as client:
        start = b"GET /v1/tokens/deploy HTTP/1.1\r\nHost: localhost\r\nX: "
        client.send(start + b"x" * (4096 - len(start) - 4) + b"\r\n\r\n")
        assert 200 == client.receive().status


def test_aborting_clients_leave_nothing(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """Clients that vanish at any point are counted and not logged (R-143); `serve` fails on exceptions."""
    served = serve()
    served.mint("deploy")
    caplog.set_level("INFO")
    for data in (b"", GET[:9], GET, GET * 50, request("/v1/tokens/other?wait=10s"), request("/v1/watch")):
        for _ in range(50):
            with served.client() as client:
                client.send(data)
    with served.client() as client:
        assert 200 == client.ask("/v1/tokens/deploy").status
    assert [] == caplog.records
    assert [] == [event for event in served.observed.events if type(event).__name__ == "LifeCycle"]


def test_a_reset_is_counted(served: Served) -> None:
    """A client that hangs up with answers unread is counted under 499."""

    def counted() -> int:
        served.loop.do(served.server.flush)
        return sum(e.count for e in served.observed.events if isinstance(e, SocketServed) and e.code == 499)

    with served.client() as client:
        client.send(GET * 1000)
        assert client.socket.recv(1)
    assert 1 == eventually(counted, what="the reset is counted")
