"""HTTP/1.1 messages (RFC 9112): one request head in, one response out. The only module that knows httptools.

Owns: strict parsing of a complete head, and the bytes of a response. Refuses to know: sockets, routes,
tokens. Stricter than the RFC where leniency has been used to smuggle: no transfer codings, no absolute
request targets, one Host.
"""

from __future__ import annotations

import http
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Protocol

import httptools

HEAD_END = b"\r\n\r\n"
LINE_END = b"\r\n"


class BadRequest(Exception):
    """The message cannot be understood; the text says why and holds nothing that was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A parsed head, and the body once it is whole. `head` is its exact bytes: equal bytes, equal request."""

    method: str
    path: str
    query: str
    host: str | None
    accept: str
    keep_alive: bool
    body_bytes: int
    head: bytes = field(repr=False)
    body: bytes = field(default=b"", repr=False)


class Stream(Protocol):
    """What follows the head of an answer for as long as the peer reads. Called on the event loop only."""

    def start(self, wake: Callable[[], None]) -> None:
        """Begin; call `wake` whenever there may be something to take."""
        ...

    def take(self) -> bytes:
        """The next bytes to send; empty while there are none."""
        ...

    def stop(self) -> None:
        """The connection has ended; idempotent."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer before it is rendered; the body may be a token. `route` is a label of a closed set.

    With a `stream` there is no body, and the connection ends with the stream (RFC 9112 6.3, item 8).
    """

    status: int
    body: bytes = field(repr=False)
    content_type: str
    headers: tuple[tuple[str, str], ...] = ()
    route: str = "other"
    stream: Stream | None = None

    def render(self, *, wall: float, keep_alive: bool = True, with_body: bool = True) -> bytes:
        """The bytes to send at this wall-clock time; answers to HEAD have no body (RFC 9110 9.3.2)."""
        lines = [
            f"HTTP/1.1 {self.status} {http.HTTPStatus(self.status).phrase}",
            f"Content-Type: {self.content_type}",
            *([f"Content-Length: {len(self.body)}"] if self.stream is None else ()),
            "Cache-Control: no-store",
            f"Date: {formatdate(wall, usegmt=True)}",
            *(f"{name}: {value}" for name, value in self.headers),
        ]
        if not keep_alive:
            lines.append("Connection: close")
        head = "\r\n".join((*lines, "", "")).encode("latin-1")
        return head + self.body if with_body else head


def parse_head(head: bytes) -> Request:
    """Parse everything up to and including the empty line. Raises BadRequest only."""
    message = _Message()
    try:
        message.parser.feed_data(head)
    except httptools.HttpParserUpgrade:
        message.keep_alive = False  # nothing to upgrade to: answered as plain HTTP/1.1, then closed
    except httptools.HttpParserError:
        raise BadRequest("the request is not well-formed HTTP/1.1") from None
    if message.version not in ("1.0", "1.1"):
        raise BadRequest("the request is not well-formed HTTP/1.1")
    return message.request(head)


class _Message:
    """Collects what the parser finds in one head."""

    def __init__(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.version: str | None = None
        self.keep_alive = False
        self._target = b""
        self._headers: dict[bytes, list[bytes]] = {}

    def on_url(self, part: bytes) -> None:
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.setdefault(name.lower(), []).append(value)

    def on_headers_complete(self) -> None:
        self.version = self.parser.get_http_version()
        self.keep_alive = self.parser.should_keep_alive()  # forgotten once the message is complete

    def request(self, head: bytes) -> Request:
        if b"transfer-encoding" in self._headers:
            raise BadRequest("transfer codings are not accepted; send a Content-Length")
        hosts = self._headers.get(b"host", [])
        if len(hosts) > 1 or (not hosts and self.version == "1.1"):
            raise BadRequest("exactly one Host header is required")
        target, method = self._target, self.parser.get_method()
        if not target.startswith(b"/") or not target.isascii() or b"#" in target:
            raise BadRequest("the request target must be a path")
        if not head.startswith(b"%b %b HTTP/" % (method, target)):
            raise BadRequest("the request is not well-formed HTTP/1.1")
        path, _, query = target.decode("ascii").partition("?")
        return Request(
            method=method.decode("ascii"),
            path=path,
            query=query,
            host=hosts[0].decode("latin-1") if hosts else None,
            accept=b",".join(self._headers.get(b"accept", [])).decode("latin-1"),
            keep_alive=self.keep_alive,
            body_bytes=int(self._headers.get(b"content-length", [b"0"])[0]),
            head=head,
        )
