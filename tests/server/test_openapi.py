"""`/v1/openapi.json`: valid, complete, and kept."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from openapi_spec_validator import validate

from broker.server import routes
from tests.server.conftest import Served
from tests.server.description import description, hold, promises
from tests.server.running import Answer, Client
from tests.waiting import eventually

TOKEN, RENEW, REJECT = "/v1/tokens/{name}", "/v1/tokens/{name}/renew", "/v1/tokens/{name}/reject"


def test_it_is_valid_openapi(served: Served) -> None:
    """What is served is the description, and OpenAPI 3.1."""
    with served.client() as client:
        answer = client.ask("/v1/openapi.json")
    assert (200, "application/json") == (answer.status, answer.headers["content-type"])
    assert description() == answer.json
    assert answer.json["openapi"].startswith("3.1.")
    validate(answer.json)


def test_every_route_is_described() -> None:
    """The router and the description name the same paths."""
    assert {*routes._COLLECTIONS, TOKEN, RENEW, REJECT} == set(description()["paths"])


def absent(served: Served) -> None:
    """Arrange nothing: `other` was never minted."""


def limited(served: Served) -> None:
    """Callers have asked too often."""
    served.reader.renew_answer = "rate_limited"
    served.reader.verdict = "rate_limited"


def refused(served: Served) -> None:
    """Reports come too late."""
    served.reader.verdict = "too_old"


def posted(client: Client, path: str, body: bytes) -> Answer:
    """POST with a body, held against the description."""
    client.send(
        b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (path.encode(), len(body), body)
    )
    answer = client.receive()
    hold("POST", path, answer.status, answer.headers["content-type"], answer.body)
    return answer


REPORT = json.dumps({"fingerprint": "0123456789abcdef", "requested_at": 1}).encode()
Arrange = Callable[[Served], None]
WALK: dict[tuple[str, str, str], tuple[Arrange, str, bytes]] = {
    ("GET", "/v1/tokens", "200"): (absent, "/v1/tokens", b""),
    ("GET", "/v1/status", "200"): (absent, "/v1/status", b""),
    ("GET", "/v1/watch", "200"): (absent, "/v1/watch", b""),
    ("GET", "/v1/openapi.json", "200"): (absent, "/v1/openapi.json", b""),
    ("GET", TOKEN, "200"): (absent, "/v1/tokens/deploy", b""),
    ("GET", TOKEN, "400"): (absent, "/v1/tokens/deploy?wait=x", b""),
    ("GET", TOKEN, "403"): (absent, "/v1/tokens/nope", b""),
    ("GET", TOKEN, "503"): (absent, "/v1/tokens/other", b""),
    ("POST", RENEW, "202"): (absent, "/v1/tokens/deploy/renew", b""),
    ("POST", RENEW, "400"): (absent, "/v1/tokens/deploy/renew?wait=x", b""),
    ("POST", RENEW, "403"): (absent, "/v1/tokens/nope/renew", b""),
    ("POST", RENEW, "429"): (limited, "/v1/tokens/deploy/renew", b""),
    ("POST", REJECT, "200"): (refused, "/v1/tokens/deploy/reject", REPORT),
    ("POST", REJECT, "202"): (absent, "/v1/tokens/deploy/reject", REPORT),
    ("POST", REJECT, "400"): (absent, "/v1/tokens/deploy/reject", b"{}"),
    ("POST", REJECT, "403"): (absent, "/v1/tokens/nope/reject", REPORT),
    ("POST", REJECT, "429"): (limited, "/v1/tokens/deploy/reject", REPORT),
}
RENEWED = ("POST", RENEW, "200")


def test_the_walk_is_complete() -> None:
    """Every answer that is described is walked to below."""
    assert {*WALK, RENEWED} == promises()


@pytest.mark.parametrize("promise", WALK, ids=" ".join)
def test_every_answer_that_is_described_is_given(served: Served, promise: tuple[str, str, str]) -> None:
    """The described statuses are those that are reached, with the described content."""
    method, _, status = promise
    arrange, path, body = WALK[promise]
    arrange(served)
    with served.client() as client:
        if path == "/v1/watch":
            client.send(b"GET /v1/watch HTTP/1.1\r\nHost: a\r\n\r\n")
            client.socket.shutdown(1)
            head, _, lines = client.rest().partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ")
            hold(method, path, 200, "application/x-ndjson", lines)
            return
        answer = client.ask(path) if method == "GET" else posted(client, path, body)
    assert int(status) == answer.status


def test_a_renewal_that_was_waited_for(served: Served) -> None:
    """200 with the new record."""
    with served.client() as client:
        client.send(b"POST /v1/tokens/deploy/renew?wait=10s HTTP/1.1\r\nHost: a\r\n\r\n")
        eventually(lambda: served.reader.waiting, what="the caller waits")
        served.mint("deploy", "S3CR3T-next")
        answer = client.receive()
    hold("POST", "/v1/tokens/deploy/renew", answer.status, "application/json", answer.body)
    assert 200 == answer.status


@pytest.mark.parametrize(
    ("status", "document"),
    [
        (200, {"tokens": []}),
        (200, {"name": "deploy"}),
        (503, {"code": "expired", "status": 503}),
        (418, {}),
    ],
)
def test_the_check_bites(status: int, document: object) -> None:
    """An answer that is not as described does not pass."""
    content_type = "application/json" if status == 200 else "application/problem+json"
    with pytest.raises(Exception, match=r"required|described"):
        hold("GET", "/v1/tokens/deploy", status, content_type, json.dumps(document).encode())
