"""Errors on the socket: one code, one status, one way out each (interface.md 7)."""

from __future__ import annotations

from typing import get_args

import pytest

from broker.errors import Condition
from tests.server.conftest import Served
from tests.server.running import Answer
from tests.waiting import eventually

MEMBERS = {"type", "title", "status", "code", "detail", "help", "retry_after"}


def problem(answer: Answer, status: int, code: str) -> None:
    """Assert a whole problem document with this status and code."""
    assert (status, code) == (answer.status, answer.json["code"])
    assert "application/problem+json" == answer.headers["content-type"]
    assert "no-store" == answer.headers["cache-control"]
    assert answer.json.keys() == MEMBERS
    assert status == answer.json["status"]
    assert answer.json["detail"]
    assert answer.json["help"]


def test_unknown_name_is_denied_and_names_the_key(served: Served) -> None:
    """An unknown name is 403, with the configuration key that would allow it."""
    with served.client() as client:
        answer = client.ask("/v1/tokens/nope")
    problem(answer, 403, "denied")
    assert "tokens.nope.allow" in answer.json["help"]


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/tokens/", "/v1/tokens/a/b", "/v2/tokens", "/v1/tokens/deploy/"]
)
def test_unknown_routes(served: Served, path: str) -> None:
    """What is no route is 404."""
    with served.client() as client:
        problem(client.ask(path), 404, "not_found")


@pytest.mark.parametrize("name", ["..", "%64eploy", "deploy%00", "deploy;x", "DEPLOY"])
def test_names_are_exact(served: Served, name: str) -> None:
    """No decoding, no traversal, no folding: another spelling is another, unknown, name (R-142)."""
    with served.client() as client:
        problem(client.ask(f"/v1/tokens/{name}"), 403, "denied")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", "/v1/tokens", "GET"),
        ("DELETE", "/v1/tokens/deploy", "GET"),
        ("GET", "/v1/tokens/deploy/renew", "POST"),
        ("PUT", "/v1/status", "GET"),
    ],
)
def test_other_methods(served: Served, method: str, path: str, allow: str) -> None:
    """Another method is 405 and says which one to use."""
    with served.client() as client:
        answer = client.ask(path, method)
    problem(answer, 405, "method_not_allowed")
    assert allow == answer.headers["allow"]


def test_head_has_no_body(served: Served) -> None:
    """HEAD is 405 without a body, and the connection goes on."""
    with served.client() as client:
        answer = client.ask("/v1/tokens/deploy", "HEAD")
        assert (405, "GET") == (answer.status, answer.headers["allow"])
        assert 200 == client.ask("/v1/tokens/deploy").status


@pytest.mark.parametrize(
    "query",
    ["min_valid=", "min_valid=soon", "wait=-1", "min_valid=1e3", "wait=5%20s", "wait=1&wait=2", "wait=5w"],
)
def test_malformed_durations(served: Served, query: str) -> None:
    """A value that is not a duration is 400."""
    with served.client() as client:
        problem(client.ask(f"/v1/tokens/deploy?{query}"), 400, "invalid_request")


@pytest.mark.parametrize(
    "query", ["min_valid=5", "min_valid=500ms", "min_valid=1.5s", "wait=1m", "min_valid=0h&wait=0d"]
)
def test_durations_are_those_of_the_configuration(served: Served, query: str) -> None:
    """A number of seconds, or a number with a unit."""
    with served.client() as client:
        assert 200 == client.ask(f"/v1/tokens/deploy?{query}").status


EXPECTED = {
    "ok": "starting",
    "renewing": "starting",
    "publish_failed": "starting",
    "unreachable": "unreachable",
    "backend_unreachable": "unreachable",
    "protocol_error": "unreachable",
    "throttled": "throttled",
    "awaiting_secret": "awaiting_secret",
    "credential_rejected": "credential_rejected",
    "misconfigured": "misconfigured",
    "backend_denied": "misconfigured",
    "secret_missing": "misconfigured",
}


@pytest.mark.parametrize("condition", get_args(Condition))
def test_absent_tokens_say_why(served: Served, condition: Condition) -> None:
    """The code of a token that never was is told by its condition, with a time to ask again."""
    served.loop.do(lambda: served.reader.update("other", condition=condition, reason="as it is"))
    with served.client() as client:
        answer = client.ask("/v1/tokens/other")
    problem(answer, 503, EXPECTED[condition])
    assert str(answer.json["retry_after"]) == answer.headers["retry-after"]
    assert "as it is" in answer.json["detail"]


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("unreachable", "expired"),
        ("credential_rejected", "credential_rejected"),
        ("misconfigured", "misconfigured"),
    ],
)
def test_expired_tokens_say_why(served: Served, condition: str, code: str) -> None:
    """An expired token is `expired`, unless a person has to act."""

    def expire() -> None:
        served.clock.advance(300)
        served.reader.update("deploy", state="expired", condition=condition)

    served.loop.do(expire)
    with served.client() as client:
        problem(client.ask("/v1/tokens/deploy"), 503, code)


def test_renew_is_accepted(served: Served) -> None:
    """POST renew asks for a mint and answers 202 at once."""
    with served.client() as client:
        answer = client.ask("/v1/tokens/deploy/renew", "POST")
    assert 202 == answer.status
    assert ("deploy", "started") == (answer.json["name"], answer.json["outcome"])
    assert ["deploy"] == served.reader.renewals


def test_renew_with_a_body(served: Served) -> None:
    """A body is read and ignored, and the next request is not mistaken for a part of it."""
    with served.client() as client:
        client.send(
            b"POST /v1/tokens/deploy/renew HTTP/1.1\r\nHost: localhost\r\nContent-Length: 11\r\n\r\n{"
            b'"a": "b"}\nGET /v1/tokens/deploy HTTP/1.1\r\nHost: localhost\r\n\r\n'
        )
        assert [202, 200] == [client.receive().status, client.receive().status]


def test_renew_and_wait(served: Served) -> None:
    """With wait= the answer is 200 once the new revision is there."""
    with served.client() as client:
        client.send(b"POST /v1/tokens/deploy/renew?wait=10s HTTP/1.1\r\nHost: localhost\r\n\r\n")
        eventually(lambda: served.reader.waiting, what="the caller waits")
        served.mint("deploy", "S3CR3T-next")
        answer = client.receive()
    assert (200, 2) == (answer.status, answer.json["revision"])
    assert b"S3CR3T" not in answer.body


def test_renew_that_takes_longer_than_the_wait(served: Served) -> None:
    """The request is kept: 202, with the state as it is."""
    served.reader.renew_answer = "pending"
    with served.client() as client:
        answer = client.ask("/v1/tokens/deploy/renew?wait=20ms", "POST")
    assert (202, "pending") == (answer.status, answer.json["outcome"])


def test_renew_too_often(served: Served) -> None:
    """Beyond the burst it is 429 with a time to come back."""
    served.reader.renew_answer = "rate_limited"
    with served.client() as client:
        answer = client.ask("/v1/tokens/deploy/renew", "POST")
    problem(answer, 429, "rate_limited")
    assert "10" == answer.headers["retry-after"]


def test_a_token_that_leaves_the_configuration(served: Served) -> None:
    """Between its removal and the new rules a known request is answered like an unknown name."""
    with served.client() as client:
        assert 200 == client.ask("/v1/tokens/deploy").status
        served.loop.do(lambda: served.reader.remove("deploy"))
        problem(client.ask("/v1/tokens/deploy"), 403, "denied")
