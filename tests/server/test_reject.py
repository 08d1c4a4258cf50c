"""POST .../reject: what a report may hold, and what comes before it."""

from __future__ import annotations

import json

import pytest

from broker.policy.rejection import Verdict
from tests.server.conftest import Serve, Served
from tests.server.running import Answer, Client, as_stranger, needs_root

FINGERPRINT = "0123456789abcdef"
PATH = "/v1/tokens/deploy/reject"


def post(body: bytes, path: str = PATH) -> bytes:
    """The bytes of a report."""
    return b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (path.encode(), len(body), body)


def report(client: Client, body: object) -> Answer:
    """Send a report and answer the response."""
    client.send(post(json.dumps(body).encode()))
    return client.receive()


def test_a_report(served: Served) -> None:
    """202 with the record, and the core has heard what was sent."""
    with served.client() as client:
        answer = report(client, {"fingerprint": FINGERPRINT.upper(), "requested_at": 1.5, "more": [1]})
    assert (202, "started", "deploy") == (answer.status, answer.json["outcome"], answer.json["name"])
    assert [("deploy", FINGERPRINT, 1.5)] == served.reader.rejected


def test_the_time_may_be_left_out(served: Served) -> None:
    """No time means now."""
    with served.client() as client:
        report(client, {"fingerprint": FINGERPRINT})
        report(client, {"fingerprint": FINGERPRINT, "requested_at": None})
    assert [("deploy", FINGERPRINT, None)] * 2 == served.reader.rejected


@pytest.mark.parametrize("verdict", ["not_current", "too_old"])
def test_nothing_to_do(served: Served, verdict: Verdict) -> None:
    """200 and the reason where a report leads to nothing."""
    served.reader.verdict = verdict
    with served.client() as client:
        answer = report(client, {"fingerprint": FINGERPRINT})
    assert (200, {"outcome": verdict}) == (answer.status, answer.json)


def test_too_many_reports(served: Served) -> None:
    """429 with a time to come back, a minute from now."""
    served.reader.verdict = "rate_limited"
    with served.client() as client:
        answer = report(client, {"fingerprint": FINGERPRINT})
    assert (429, "rate_limited", 60) == (answer.status, answer.json["code"], answer.json["retry_after"])
    assert "60" == answer.headers["retry-after"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"S3CR3T",
        b"[]",
        b"{}",
        b'"S3CR3T"',
        b'{"fingerprint": 1}',
        b'{"fingerprint": "S3CR3T"}',
        b'{"fingerprint": "0123456789abcdef0"}',
        b'{"fingerprint": "0123456789abcdef", "fingerprint": "0123456789abcde0"}',
        b'{"fingerprint": "0123456789abcdef", "requested_at": "S3CR3T"}',
        b'{"fingerprint": "0123456789abcdef", "requested_at": true}',
        b'{"fingerprint": "0123456789abcdef", "requested_at": NaN}',
        b'{"fingerprint": "0123456789abcdef", "requested_at": 1e999}',
        b'{"fingerprint": "0123456789abcdef", "requested_at": 1' + b"0" * 400 + b"}",
        b"[" * 4000,
        b'{"fingerprint": "0123456789abcdef"',
        b'\xff{"fingerprint": "0123456789abcdef"}',
        b'{"fingerprint": "\\u0660123456789abcdef"}',
    ],
    ids=range(18),
)
def test_what_is_no_report(served: Served, body: bytes) -> None:
    """400 says what is expected and repeats nothing of what was sent; the connection goes on."""
    with served.client() as client:
        client.send(post(body))
        answer = client.receive()
        assert (400, "invalid_request") == (answer.status, answer.json["code"])
        assert b"S3CR3T" not in answer.body
        assert 200 == client.ask("/v1/tokens/deploy").status
    assert [] == served.reader.rejected


def test_a_body_in_pieces(served: Served) -> None:
    """A report may come byte by byte, and what follows is the next request."""
    data = post(json.dumps({"fingerprint": FINGERPRINT}).encode())
    with served.client() as client:
        for byte in data * 2:
            client.send(bytes((byte,)))
        assert [202, 202] == [client.receive().status for _ in range(2)]
        client.send(data[:-3])
        client.send(data[-3:] + data)
        assert [202, 202] == [client.receive().status for _ in range(2)]


def test_a_body_that_is_too_large(served: Served) -> None:
    """4096 bytes are read, 4097 refused."""
    body = json.dumps({"fingerprint": FINGERPRINT}).encode()
    with served.client() as client:
        client.send(post(body.ljust(4096)))
        assert 202 == client.receive().status
        client.send(post(body.ljust(4097)))
        assert 400 == client.receive().status
        assert b"" == client.rest()


@pytest.mark.parametrize(
    "head",
    [
        b"POST /v1/tokens/nope/reject HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n",
        b"POST /v1/tokens/nope/reject HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n",
    ],
    ids=["not sent", "too large"],
)
def test_rights_before_the_body(served: Served, head: bytes) -> None:
    """Who may not report is told at once, whatever the body is or will be, and the connection ends."""
    with served.client() as client:
        client.send(head)
        answer = client.receive()
        assert (403, "denied", "close") == (answer.status, answer.json["code"], answer.headers["connection"])
        assert b"" == client.rest()


def test_rights_before_a_malformed_body(serve: Serve) -> None:
    """A stranger learns nothing about what a report looks like."""
    needs_root()
    served = serve()
    assert as_stranger(served.path, post(b"S3CR3T")).startswith(b"HTTP/1.1 403 ")


def test_the_method(served: Served) -> None:
    """GET is 405 and says what to use."""
    with served.client() as client:
        answer = client.ask(PATH)
    assert (405, "POST") == (answer.status, answer.headers["allow"])
