"""What `TokenClient` and its asynchronous twin hold, and what they ask the broker for."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from broker.client import AccessDenied, BrokerUnreachable, Token, TokenClient, TryAgainLater, aio
from tests.client.fake_broker import FakeBroker, fake_broker
from tests.client.socket_api import always, problem, socket_api
from tests.waiting import eventually

GET = "GET /v1/tokens/deploy"


class Awaited:
    """The asynchronous client as a synchronous one: each call in an event loop of its own."""

    def __init__(self, socket: str) -> None:
        self._client = aio.TokenClient(socket)

    def get(self, name: str, **options: float) -> Token:
        return asyncio.run(self._client.get(name, **options))

    def reject(self, token: Token | str, **options: Any) -> str:
        return asyncio.run(self._client.reject(token, **options))

    def successor(self, token: Token, **options: float) -> Token | None:
        return asyncio.run(self._client.successor(token, **options))


Client = TokenClient | Awaited
pytestmark = pytest.mark.parametrize("make", [TokenClient, Awaited], ids=["threads", "asyncio"])
Make = Callable[[str], Client]


def age(broker: FakeBroker, seconds: float) -> None:
    """Let the token be older than it is."""
    broker.issued["deploy"] -= seconds


def test_a_token_in_the_first_half_of_its_life_is_asked_for_once(socket_file: Path, make: Make) -> None:
    """The broker renews at about half: until then there is nothing to learn."""
    with fake_broker(socket_file) as broker:
        client = make(str(socket_file))
        assert {broker.token()} == {client.get("deploy", min_valid=60).access_token for _ in range(3)}
    assert [f"{GET}?min_valid=60s"] == broker.requests


def test_a_held_token_that_is_too_short_is_not_used(socket_file: Path, make: Make) -> None:
    """`min_valid` is held against what is in the cache too."""
    with fake_broker(socket_file) as broker:
        client = make(str(socket_file))
        client.get("deploy")
        client.get("deploy", min_valid=7200)
    assert [GET, f"{GET}?min_valid=7200s"] == broker.requests


def test_an_expired_token_is_never_served(socket_file: Path, make: Make) -> None:
    """From the cache least of all."""
    with fake_broker(socket_file) as broker:
        client = make(str(socket_file))
        age(broker, 3600)
        client.get("deploy")
        broker.renew()
        assert broker.token() == client.get("deploy").access_token


def test_after_half_of_a_life_the_successor_is_asked_for(socket_file: Path, make: Make) -> None:
    """Now and then, not at each use."""
    with fake_broker(socket_file, life_seconds=400.0) as broker:
        age(broker, 199)
        client = make(str(socket_file))
        first = client.get("deploy")
        broker.renew()
        successor = eventually(
            lambda: (token := client.get("deploy")).revision == 2 and token, what="the successor is read"
        )
        assert (1, broker.token()) == (first.revision, successor and successor.access_token)
        assert len(broker.requests) < 5


def test_a_valid_token_outlives_its_broker(socket_file: Path, make: Make) -> None:
    """While the broker restarts, programs go on with what they hold, if it is good enough for them."""
    with fake_broker(socket_file, life_seconds=600.0) as broker:
        age(broker, 299)
        client = make(str(socket_file))
        token = client.get("deploy").access_token
    with socket_api(socket_file, always(problem(503, "starting"))) as api:
        eventually(
            lambda: token == client.get("deploy").access_token and api.requests,
            what="the broker is asked again",
        )
        assert token == client.get("deploy").access_token
    with pytest.raises(BrokerUnreachable):
        client.get("deploy", min_valid=3600)


def test_a_closed_connection_is_made_again(socket_file: Path, make: Make) -> None:
    """The broker closes what is idle, and restarts: nobody is told."""
    with fake_broker(socket_file) as broker:
        client = make(str(socket_file))
        for seconds in (4000, 5000, 6000):
            client.reject("deploy", fingerprint=f"{seconds:016}")
        assert 1 == broker.connections
        broker.hang_up()
        assert "not_current" == client.reject("deploy", fingerprint="0" * 16)
        assert 2 == broker.connections


def test_a_report_names_the_token_and_the_time_of_the_request(socket_file: Path, make: Make) -> None:
    """Whole seconds, rounded up: rounded down, the request could seem older than the token."""
    with fake_broker(socket_file) as broker:
        client = make(str(socket_file))
        token = client.get("deploy")
        assert "started" == client.reject(token, requested_at=1_700_000_000.2)
        assert "not_current" == client.reject(token)
    assert [
        {"fingerprint": token.fingerprint, "requested_at": 1_700_000_001},
        {"fingerprint": token.fingerprint},
    ] == broker.reports


def test_a_name_alone_reports_the_current_token(socket_file: Path, make: Make) -> None:
    """Read first, if it is not held."""
    with fake_broker(socket_file) as broker:
        fingerprint = broker.fingerprint()
        assert "started" == make(str(socket_file)).reject("deploy")
    assert [{"fingerprint": fingerprint}] == broker.reports


def test_a_reported_token_is_held_no_more(socket_file: Path, make: Make) -> None:
    """Nor held again while the broker has no other."""
    with fake_broker(socket_file) as broker:
        broker.mints_on_reject = False
        client = make(str(socket_file))
        client.reject(client.get("deploy"))
        client.get("deploy")
        broker.renew()
        assert broker.token() == client.get("deploy").access_token


def test_too_many_reports_are_an_error(socket_file: Path, make: Make) -> None:
    """429: it will pass."""
    with (
        socket_api(socket_file, always(problem(429, "rate_limited", retry_after=60))),
        pytest.raises(TryAgainLater) as caught,
    ):
        make(str(socket_file)).reject("deploy", fingerprint="0" * 16)
    assert 60.0 == caught.value.retry_after


def test_the_successor_is_another_token(socket_file: Path, make: Make) -> None:
    """It is waited for: the old one is served until then."""
    with fake_broker(socket_file) as broker:
        client = make(str(socket_file))
        token = client.get("deploy")
        broker.mints_on_reject = False
        mint = threading.Timer(0.1, broker.renew)
        mint.start()
        successor = client.successor(token, wait=10)
        mint.join()
        assert successor is not None
        assert broker.token() == successor.access_token


def test_a_successor_that_does_not_come_is_waited_for_once(socket_file: Path, make: Make) -> None:
    """A hundred requests that are refused do not wait a hundred times: the second look is the only one."""
    with fake_broker(socket_file) as broker:
        broker.mints_on_reject = False
        client = make(str(socket_file))
        token = client.get("deploy")
        assert client.successor(token, wait=0.05) is None
        broker.requests.clear()
        assert client.successor(token, wait=3600) is None
        assert ["POST /v1/tokens/deploy/reject", GET] == broker.requests


def test_a_request_older_than_the_token_has_no_successor(socket_file: Path, make: Make) -> None:
    """The broker says so."""
    with fake_broker(socket_file) as broker:
        broker.reject_answer = (200, {"outcome": "too_old"})
        client = make(str(socket_file))
        assert client.successor(client.get("deploy")) is None


def test_a_right_that_was_withdrawn_empties_the_cache(socket_file: Path, make: Make) -> None:
    """Whatever was held before."""
    with fake_broker(socket_file, life_seconds=600.0) as broker:
        age(broker, 299)
        client = make(str(socket_file))
        client.get("deploy")
        del broker.revisions["deploy"]
        with pytest.raises(AccessDenied):
            eventually(lambda: client.get("deploy").revision == 0, what="a denial")
        with pytest.raises(AccessDenied):
            client.get("deploy")


def test_a_forked_child_uses_connections_of_its_own(socket_file: Path, make: Make) -> None:
    """Two processes on one connection would read each other's answers."""
    with fake_broker(socket_file) as broker:
        client = make(str(socket_file))
        client.reject("deploy", fingerprint="0" * 16)
        child = os.fork()
        if child == 0:
            outcome = client.reject("deploy", fingerprint="1" * 16)
            os._exit(0 if outcome == "not_current" else 1)
        assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        client.reject("deploy", fingerprint="2" * 16)
        assert 2 == broker.connections
