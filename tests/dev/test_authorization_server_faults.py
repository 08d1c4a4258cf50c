"""The development authorization server: what goes wrong on demand, and how it stops."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from broker.dev import faults
from broker.dev.authorization_server import DevelopmentAuthorizationServer
from broker.dev.faults import CATALOGUE
from tests.dev.asking import Reply, ask
from tests.waiting import eventually

ANSWERED = sorted(name for name, fault in CATALOGUE.items() if fault.delivery == "whole")


@pytest.fixture
def server() -> Iterator[DevelopmentAuthorizationServer]:
    """With the client `deploy`."""
    with DevelopmentAuthorizationServer(marker="S3CR3T-") as running:
        running.register("deploy", secret="S3CR3T-right", scope=("a",))
        yield running


def mint(server: DevelopmentAuthorizationServer, *, timeout: float = 10.0) -> Reply:
    """A token for `deploy`."""
    form = {"grant_type": "client_credentials", "client_id": "deploy", "client_secret": "S3CR3T-right"}
    return ask(server.token_endpoint, form, timeout=timeout)


@pytest.mark.parametrize("name", ANSWERED)
def test_catalogue_can_be_played(server: DevelopmentAuthorizationServer, name: str) -> None:
    """Every named fault with an answer gives one, and the next request is served as if nothing had been."""
    server.fault("token", name, times=1)
    expected = CATALOGUE[name].status or 200
    assert (expected, 200) == (mint(server).status, mint(server).status)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("close", http.client.RemoteDisconnected),
        ("reset", ConnectionResetError),
        ("truncated", http.client.IncompleteRead),
    ],
)
def test_broken_connections(
    server: DevelopmentAuthorizationServer, name: str, error: type[Exception]
) -> None:
    """Closed without an answer, reset after the request, cut off in the middle."""
    server.fault("token", name, times=1)
    with pytest.raises(error):
        mint(server)
    assert 1 == server.ledger.count("token")


def test_hang_ends_with_the_clients_patience(server: DevelopmentAuthorizationServer) -> None:
    """Nothing comes back, and the request is in the ledger without a status."""
    server.fault("token", "hang", times=1)
    with pytest.raises(TimeoutError):
        mint(server, timeout=0.2)
    eventually(
        lambda: [None] == [entry.status for entry in server.ledger.entries("token")],
        what="the line in the ledger",
    )


def test_members_are_raw_json(server: DevelopmentAuthorizationServer) -> None:
    """A member is replaced by raw text, or left out."""
    server.fault("token", faults.members(expires_in="1e400", token_type=None), times=1)
    body = mint(server).body
    assert b'"expires_in":1e400' in body
    assert b"token_type" not in body


def test_same_token_again(server: DevelopmentAuthorizationServer) -> None:
    """A caching server repeats its last token."""
    first = mint(server).members["access_token"]
    server.fault("token", "same-token", times=1)
    assert first == mint(server).members["access_token"]
    assert first != mint(server).members["access_token"]


def test_faults_are_played_in_order_and_can_be_cleared(server: DevelopmentAuthorizationServer) -> None:
    """Two 500, then 429 without end, until it is cleared."""
    server.fault("token", "500", times=2)
    server.fault("token", "429")
    assert [500, 500, 429, 429] == [mint(server).status for _ in range(4)]
    server.clear()
    assert 200 == mint(server).status


def test_metadata_faults(server: DevelopmentAuthorizationServer) -> None:
    """Another issuer, a token endpoint elsewhere."""
    server.fault("metadata", "issuer-mismatch", times=1)
    server.fault("metadata", faults.token_endpoint("https://attacker.invalid/"), times=1)
    assert server.issuer != ask(server.discovery_url).members["issuer"]
    assert "https://attacker.invalid/" == ask(server.discovery_url).members["token_endpoint"]


def test_date_is_sent_when_asked_for() -> None:
    """No Date by default, as with Keycloak; with an offset, one that is off by it."""
    with DevelopmentAuthorizationServer(date_offset_seconds=3600) as server:
        assert "date" in ask(server.discovery_url).headers
    with DevelopmentAuthorizationServer() as server:
        assert "date" not in ask(server.discovery_url).headers


def test_stopped_it_refuses_and_comes_back_on_its_port(server: DevelopmentAuthorizationServer) -> None:
    """Down, connections are refused; up again, port, clients and secrets are the same."""
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        mint(server)
    server.start()
    assert 200 == mint(server).status


def test_stop_ends_keep_alive_connections(server: DevelopmentAuthorizationServer) -> None:
    """A client that holds a connection open is not served after the stop."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=5)
    _get(connection)
    server.stop()
    with pytest.raises(ConnectionError):
        _get(connection)
    connection.close()


@pytest.mark.parametrize("name", ["hang", "drip", "endless"])
def test_stop_does_not_wait_for_faults(name: str) -> None:
    """With exchanges that never end it stops at once, and leaves no thread."""
    before = threading.active_count()
    server = DevelopmentAuthorizationServer()
    server.start()
    server.fault("metadata", name)
    host, _, port = server.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(b"GET /identity/.well-known/openid-configuration HTTP/1.1\r\nHost: x\r\n\r\n")
        eventually(lambda: server.ledger.count("metadata") == 1, what="the request has arrived")
        started = time.monotonic()
        server.stop()
        assert 10.0 > time.monotonic() - started
    eventually(lambda: threading.active_count() <= before, what="its threads have ended")


def _get(connection: http.client.HTTPConnection) -> None:
    connection.request("GET", "/")
    connection.getresponse().read()
