"""One exchange over HTTP: what is sent, what comes back, what is refused, and when it is given up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from broker.dev import faults
from broker.dev.authorization_server import DevelopmentAuthorizationServer
from broker.dev.faults import Fault
from broker.errors import ProtocolError, TransportError
from broker.infra.http import HttpxTransport
from tests.infra.raw_server import RawServer
from tests.infra.sending import exchange, failure, send_once
from tests.waiting import eventually_async


@pytest.fixture
def server() -> Iterator[DevelopmentAuthorizationServer]:
    """Its metadata is what most tests ask for."""
    with DevelopmentAuthorizationServer(marker="S3CR3T-") as running:
        yield running


def test_request_arrives_as_built(server: DevelopmentAuthorizationServer) -> None:
    """R-022, R-035: method, headers and body as given, our User-Agent, identity encoding, no more."""
    body = b"grant_type=client_credentials&client_secret=S3CR3T-x"
    headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
    send_once(server.token_endpoint, method="POST", headers=headers, body=body)
    entry = server.ledger.entries("token")[0]
    assert ("POST", body) == (entry.method, entry.body)
    assert {
        "host": server.url.removeprefix("http://"),
        "user-agent": "token-broker/test",
        "accept": "application/json",
        "content-type": "application/x-www-form-urlencoded",
        "accept-encoding": "identity",
        "content-length": str(len(body)),
    } == dict(entry.headers)


def test_answer_has_lower_case_names_and_the_whole_body(server: DevelopmentAuthorizationServer) -> None:
    """Status, headers in lower case, body."""
    server.fault("metadata", Fault(status=418, headers={"X-Thing": "a"}, body=b"tea"))
    response = send_once(server.discovery_url)
    assert (418, "a", b"tea") == (response.status, response.headers["x-thing"], response.body)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(server: DevelopmentAuthorizationServer, code: int) -> None:
    """R-028, F-08: the answer is the redirect itself, and the other server hears nothing."""
    with DevelopmentAuthorizationServer() as attacker:
        server.fault("token", faults.redirect(code, attacker.token_endpoint))
        response = send_once(server.token_endpoint, method="POST", body=b"client_secret=S3CR3T-x")
        assert (code, 0) == (response.status, attacker.ledger.count())


@pytest.mark.parametrize("fault", ["gzip", "gzip-bomb"])
def test_content_encoding_is_refused(server: DevelopmentAuthorizationServer, fault: str) -> None:
    """R-035: encoded answers are refused before anything is decoded."""
    server.fault("metadata", fault)
    assert "content-encoded" in failure(ProtocolError, server.discovery_url).message


@pytest.mark.parametrize("fault", ["oversize", "endless"])
def test_size_is_capped(server: DevelopmentAuthorizationServer, fault: str) -> None:
    """R-035, F-07: announced or not, a body above the cap ends the exchange."""
    server.fault("metadata", fault)
    error = failure(ProtocolError, server.discovery_url, max_body_bytes=100_000)
    assert ("too_large", True) == (error.code, "100000 bytes" in error.message)


def test_body_of_exactly_the_cap_is_taken(server: DevelopmentAuthorizationServer) -> None:
    """The cap itself is allowed."""
    server.fault("metadata", faults.body(b"x" * 1000))
    assert 1000 == len(send_once(server.discovery_url, max_body_bytes=1000).body)


@pytest.mark.parametrize(
    "fault",
    [Fault(delivery="hang"), Fault(delivery="drip", interval_seconds=0.05), faults.delay(30)],
    ids=["hang", "drip", "late"],
)
def test_total_deadline(server: DevelopmentAuthorizationServer, fault: Fault) -> None:
    """R-029, F-03: silent, dripping or late, it is given up when the total time is over."""
    server.fault("metadata", fault)
    started = time.monotonic()
    error = failure(TransportError, server.discovery_url, total_seconds=0.3)
    assert 10.0 > time.monotonic() - started  # each of them would take twice as long and more
    assert (f"{_peer(server)}: no answer within 0.3 s", "timeout") == (error.message, error.code)


def test_stalled_tls_handshake_is_given_up() -> None:
    """F-14: a peer that accepts and never speaks TLS holds nobody beyond the deadline."""
    with RawServer(b"", close=False) as silent:
        error = failure(TransportError, f"https://127.0.0.1:{silent.port}/", total_seconds=0.3)
    assert "timeout" == error.code


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_given_up_connection_is_closed(scheme: str) -> None:
    """F-14: in every phase, the TLS handshake too, where httpx2 would keep the socket while the loop runs."""

    async def main(port: int) -> None:
        transport = HttpxTransport(ca_file=None, user_agent="t")
        with pytest.raises(TransportError):
            await exchange(transport, f"{scheme}://127.0.0.1:{port}/", total_seconds=0.2)
        await eventually_async(silent.left, what="the connection is closed")
        await transport.close()

    with RawServer(b"", close=False) as silent:
        asyncio.run(main(silent.port))


@pytest.mark.parametrize(
    ("fault", "code"), [("close", "closed"), ("reset", "reset"), ("truncated", "closed")]
)
def test_broken_connections(server: DevelopmentAuthorizationServer, fault: str, code: str) -> None:
    """F-15: closed, reset, or cut off: transient, with the peer's name and no byte of what was sent."""
    server.fault("token", fault)
    error = failure(TransportError, server.token_endpoint, body=b"client_secret=S3CR3T-x")
    assert (True, code) == (error.message.startswith(_peer(server)), error.code)


def test_connection_refused() -> None:
    """F-01: nobody listens."""
    with DevelopmentAuthorizationServer() as server:
        url = server.discovery_url
    assert f"{_peer(server)}: connection refused" == failure(TransportError, url).message


@pytest.mark.parametrize(
    "answer", [b"SSH-2.0-S3CR3T-banner\r\n\r\n", b"HTTP/1.1 200 OK\r\nS3CR3T- broken\r\n\r\n"]
)
def test_what_is_not_http_is_a_protocol_error(answer: bytes) -> None:
    """The received bytes, which the library's message quotes, are not in ours."""
    with RawServer(answer) as server:
        error = failure(ProtocolError, f"http://127.0.0.1:{server.port}/")
    assert f"127.0.0.1:{server.port}: the answer is not HTTP" == error.message


def test_endless_headers_are_given_up() -> None:
    """A head without end is no answer."""
    with RawServer(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 400_000) as server:
        assert "not_http" == failure(ProtocolError, f"http://127.0.0.1:{server.port}/").code


def test_cookies_are_not_kept(server: DevelopmentAuthorizationServer) -> None:
    """R-021: a cookie that one answer sets is not in the next request."""

    async def main() -> None:
        transport = HttpxTransport(ca_file=None, user_agent="t")
        server.fault("metadata", Fault(status=200, headers={"Set-Cookie": "a=b"}, body=b"{}"))
        for _ in range(2):
            await exchange(transport, server.discovery_url)
        await transport.close()

    asyncio.run(main())
    assert ["cookie" in entry.headers for entry in server.ledger.entries()] == [False, False]


def test_connections_are_reused_until_they_are_old(server: DevelopmentAuthorizationServer) -> None:
    """R-031: kept alive between requests, but not beyond five minutes."""
    boot = [1000.0]

    async def main() -> None:
        transport = HttpxTransport(ca_file=None, user_agent="t", boot_clock=lambda: boot[0])
        for now in (1000.0, 1299.0, 1300.0):
            boot[0] = now
            await exchange(transport, server.discovery_url)
        await transport.close()

    asyncio.run(main())
    ports = [entry.peer_port for entry in server.ledger.entries()]
    assert (True, True) == (ports[0] == ports[1], ports[1] != ports[2])


def test_idle_connections_are_not_reused(server: DevelopmentAuthorizationServer) -> None:
    """R-031: one that was idle for too long is replaced."""

    async def main() -> None:
        transport = HttpxTransport(ca_file=None, user_agent="t", idle_seconds=0.0)
        for _ in range(2):
            await exchange(transport, server.discovery_url)
        await transport.close()

    asyncio.run(main())
    assert 2 == len({entry.peer_port for entry in server.ledger.entries()})


def test_an_old_pool_ends_with_its_last_exchange(server: DevelopmentAuthorizationServer) -> None:
    """A request in flight is finished on the connection it began on, whatever pool the others use."""
    boot = [0.0]

    async def main() -> list[int]:
        transport = HttpxTransport(ca_file=None, user_agent="t", boot_clock=lambda: boot[0])
        server.fault("metadata", faults.delay(0.3), times=1)
        slow = asyncio.create_task(exchange(transport, server.discovery_url))
        await eventually_async(lambda: server.ledger.count() == 1, what="the slow request has arrived")
        boot[0] = 301.0
        quick = await exchange(transport, server.discovery_url)
        answered = [quick.status, (await slow).status]
        await transport.close()
        return answered

    assert [200, 200] == asyncio.run(main())


def test_cancellation_goes_through(server: DevelopmentAuthorizationServer) -> None:
    """R-061: a cancelled exchange ends at once and is no error of ours; the transport works on."""

    async def main() -> int:
        transport = HttpxTransport(ca_file=None, user_agent="t")
        server.fault("metadata", "hang", times=1)
        task = asyncio.create_task(exchange(transport, server.discovery_url))
        await eventually_async(lambda: server.ledger.count() == 1, what="the request has arrived")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        response = await exchange(transport, server.discovery_url)
        await transport.close()
        return response.status

    assert 200 == asyncio.run(main())


def _peer(server: DevelopmentAuthorizationServer) -> str:
    return server.url.removeprefix("http://")
