"""One exchange with whatever listens at a socket."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from broker.client.errors import (
    AccessDenied,
    BrokerUnreachable,
    RequestInvalid,
    TokenClientError,
    UnexpectedAnswer,
)
from broker.client.wire import exchange, socket_path
from tests.client.socket_api import always, answer, socket_api


def ask(path: Path, *, timeout_seconds: float = 5.0) -> tuple[int, bytes]:
    """Status and body of some answer."""
    got = exchange(str(path), "GET", "/v1/status", timeout_seconds=timeout_seconds)
    return got.status, got.body


def test_an_answer_is_its_status_and_its_body(socket_file: Path) -> None:
    """Whatever the status, the body comes with it."""
    with socket_api(socket_file, always(answer(503, b'{"code": "expired"}'))):
        assert (503, b'{"code": "expired"}') == ask(socket_file)


def test_a_long_body_arrives_whole(socket_file: Path) -> None:
    """A status of ten thousand tokens takes many reads."""
    body = b"x" * 3_000_000
    with socket_api(socket_file, always(answer(200, body))):
        assert (200, body) == ask(socket_file)


def test_a_post_says_that_it_has_no_body(socket_file: Path) -> None:
    """Without Content-Length a strict server answers 411."""
    with socket_api(socket_file, always(answer(202, b"{}"))) as api:
        exchange(str(socket_file), "POST", "/v1/tokens/deploy/renew", timeout_seconds=5.0)
    assert "\r\nContent-Length: 0\r\n" in api.requests[0]


@pytest.mark.parametrize(
    "reply",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK",
        b"a" * 20_000,
    ],
)
def test_what_is_not_the_socket_api_is_told_so(socket_file: Path, reply: bytes) -> None:
    """Another program at the path, or a smuggled answer: refused with the path in the message."""
    with socket_api(socket_file, always(reply)), pytest.raises(UnexpectedAnswer, match=str(socket_file)):
        ask(socket_file)


@pytest.mark.parametrize(
    "reply", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"]
)
def test_a_broken_off_answer_is_worth_another_try(socket_file: Path, reply: bytes) -> None:
    """A broker that is being restarted hangs up in the middle."""
    with socket_api(socket_file, always(reply)), pytest.raises(BrokerUnreachable, match="hung up"):
        ask(socket_file)


def test_a_broker_that_says_nothing_is_given_up_on(socket_file: Path) -> None:
    """A stopped process still accepts connections: the kernel does it."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(socket_file))
        listener.listen()
        with pytest.raises(BrokerUnreachable, match=r"no answer from .* in time"):
            ask(socket_file, timeout_seconds=0.05)


def test_a_missing_socket_is_named_with_the_ways_to_name_another(socket_file: Path) -> None:
    """The commonest mistake of a first user."""
    with pytest.raises(BrokerUnreachable, match=r"there is no socket .*--socket"):
        ask(socket_file)


def test_a_stale_socket_is_told_from_a_missing_one(socket_file: Path) -> None:
    """A killed broker leaves the file behind."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(socket_file))
    with pytest.raises(BrokerUnreachable, match="nobody listens at"):
        ask(socket_file)


def test_a_full_backlog_is_tried_again_and_then_told(socket_file: Path) -> None:
    """The kernel turns away who comes when the queue is full (EAGAIN)."""
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(str(socket_file))
        listener.listen(0)
        first.connect(str(socket_file))
        with pytest.raises(BrokerUnreachable):
            ask(socket_file)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who is shut out")
def test_a_socket_that_is_closed_to_us_is_a_denial(socket_file: Path) -> None:
    """It will not pass by itself, so it is not "try again"."""
    with socket_api(socket_file, always(answer(200, b"{}"))):
        socket_file.chmod(0o600)
        socket_file.parent.chmod(0o755)
        os.seteuid(65534)
        try:
            with pytest.raises(AccessDenied, match=r"socket\.group"):
                ask(socket_file)
        finally:
            os.seteuid(0)


def test_the_path_comes_from_the_caller_then_the_environment_then_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An empty variable counts as none."""
    monkeypatch.setenv("TOKEN_BROKER_SOCKET", "/environment")
    assert "/given" == socket_path("/given")
    assert "/environment" == socket_path(None)
    monkeypatch.setenv("TOKEN_BROKER_SOCKET", "")
    assert "/run/token-broker/token-broker.sock" == socket_path(None)


@pytest.mark.parametrize("path", ["/" + "x" * 107, "/a\0b"])
def test_a_path_that_can_be_no_address_is_the_callers_fault(path: str) -> None:
    """The kernel's own message would not say which path."""
    with pytest.raises(RequestInvalid, match="socket path"):
        socket_path(path)


def test_every_error_is_one_printable_line() -> None:
    """What answers may be hostile, and a terminal obeys what it is shown."""
    error = TokenClientError("a\x1b]0;title\x07b\nc\u202e", code="x", fix="d\r\ne")
    assert "a ]0;title b c; d e" == str(error)
