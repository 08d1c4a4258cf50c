"""Parsing of heads and rendering of responses, as values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.server.durations import seconds
from broker.server.http import BadRequest, Response, parse_head

HEAD = (
    b"GET /v1/tokens/deploy?wait=5s HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain\r\nAccept: */*\r\n\r\n"
)


def test_a_request() -> None:
    """Target, host and accept are taken apart; repeated Accept headers are one list."""
    request = parse_head(HEAD)
    assert ("GET", "/v1/tokens/deploy", "wait=5s") == (request.method, request.path, request.query)
    assert ("localhost", "text/plain,*/*") == (request.host, request.accept)
    assert request.keep_alive
    assert 0 == request.body_bytes
    assert HEAD == request.head


@pytest.mark.parametrize(
    ("expected", "head"),
    [
        (True, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        (False, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
        (False, b"GET / HTTP/1.0\r\nHost: a\r\n\r\n"),
        (True, b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"),
        (False, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
    ],
)
def test_keep_alive(*, expected: bool, head: bytes) -> None:
    """Version and Connection decide (RFC 9112 9.3)."""
    assert expected is parse_head(head).keep_alive


def test_requests_keep_their_bytes_to_themselves() -> None:
    """A head may hold a credential that was sent by mistake; the repr does not show it."""
    head = b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer S3CR3T-1\r\n\r\n"
    assert "S3CR3T" not in repr(parse_head(head))


def test_responses_keep_their_body_to_themselves() -> None:
    """The body may be a token; the repr does not show it."""
    assert "S3CR3T" not in repr(Response(status=200, body=b"S3CR3T-1", content_type="text/plain"))


def test_rendering() -> None:
    """A response is complete, and says that it must not be stored."""
    response = Response(
        status=429, body=b"{}", content_type="application/json", headers=(("Retry-After", "3"),)
    )
    assert (
        b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
        b"Cache-Control: no-store\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\nRetry-After: 3\r\n"
        b"Connection: close\r\n\r\n{}"
    ) == response.render(wall=1_700_000_000.9, keep_alive=False)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_refused(junk: bytes) -> None:
    """No bytes raise anything but BadRequest, and the reason repeats none of them (R-142)."""
    try:
        request = parse_head(junk + b"\r\n\r\n")
    except BadRequest as refusal:
        assert str(refusal).isascii()  # noqa: PT017 - either outcome is right
    else:
        assert request.path.startswith("/")


TOKENS = st.text(alphabet="abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", min_size=1)


@given(TOKENS, st.lists(st.tuples(TOKENS, st.text(alphabet="abc 0123;=/", max_size=20)), max_size=8))
def test_any_path_comes_through(name: str, headers: list[tuple[str, str]]) -> None:
    """What is well-formed is parsed to what was sent, whatever harmless headers come along."""
    lines = [f"X-{key}: {value}" for key, value in headers]
    head = "\r\n".join((f"GET /v1/tokens/{name} HTTP/1.1", "Host: a", *lines, "", "")).encode()
    assert f"/v1/tokens/{name}" == parse_head(head).path


@pytest.mark.parametrize(
    ("expected", "text"),
    [(60, "60s"), (5, "5"), (0.5, "500ms"), (90, "1.5m"), (7200, "2h"), (86400, "1d"), (0, "0")],
)
def test_durations(expected: float, text: str) -> None:
    """The configuration's syntax (interface.md 7)."""
    assert expected == seconds(text)


@pytest.mark.parametrize(
    "text", ["", "s", "-1", "+1", "1 s", "1S", "1e3", "nan", "inf", "1.s", ".5", "\u0665", "1sm", "9" * 13]
)
def test_what_is_no_duration(text: str) -> None:
    """Everything else is refused."""
    with pytest.raises(ValueError, match="not a duration"):
        seconds(text)
