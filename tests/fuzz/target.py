"""One connection without a socket: bytes in, bytes out, and what must hold whatever comes in.

Owns: the fake transport, the token that may be read and the one that may not, the invariants. A fuzzer, a corpus
and Hypothesis all drive `one_input`.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from functools import partial
from itertools import pairwise
from typing import Any

from broker.server.patience import Patience
from broker.server.peer import AccessRule, Peer
from broker.server.routes import Routes
from broker.server.traffic import Traffic
from broker.server.unix_connection import UnixConnection
from tests.server.fakes import FakeReader, ManualClock, Observed

READABLE, HIDDEN = "S3CR3T-readable", "S3CR3T-hidden"
PEER = Peer(1000, lambda: frozenset({1000}), 7, known=True, unit=lambda: None)
RULES = {"deploy": AccessRule(uids=frozenset({1000})), "hidden": AccessRule(uids=frozenset({1001}))}
WORDS = (
    b"GET ",
    b"POST ",
    b"HEAD ",
    b"/v1/tokens/deploy",
    b"/v1/tokens/hidden",
    b"/v1/watch",
    b"/renew",
    b"/reject",
    b"?wait=0&min_valid=1s",
    b" HTTP/1.1\r\n",
    b" HTTP/1.0\r\n",
    b"Host: a\r\n",
    b"Content-Length: 3\r\n",
    b"Content-Length: 34\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"\r\n",
    b"\n",
    b" ",
    b"\x00",
    b"abc",
    b'{"fingerprint":"0123456789abcdef"}',
    b"GET /v1/tokens/deploy HTTP/1.1\r\nHost: a\r\n\r\n",
)
"""The pieces of requests, for whoever puts them together."""
STATUSES = {200, 202, 400, 403, 404, 405, 429, 503}

_HEAD = re.compile(rb"HTTP/1\.1 (\d{3}) [A-Za-z ]+\r\n((?:[A-Za-z-]+: [^\r\n]*\r\n)+)\r\n")


class Transport(asyncio.Transport):
    """Takes everything at once."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.closed = False

    def write(self, data: Any) -> None:
        if not self.closed:
            self.sent += data

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Never full."""

    def pause_reading(self) -> None:
        """Nothing is read by itself."""

    def resume_reading(self) -> None:
        """Nothing is read by itself."""

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True


def one_input(data: bytes, *, cuts: tuple[int, ...] = ()) -> list[int]:
    """Feed the bytes, cut at these places, and answer the statuses that came back. AssertionError if one must not."""
    return asyncio.run(_connection(data, cuts))


async def _connection(data: bytes, cuts: tuple[int, ...]) -> list[int]:
    clock = ManualClock()
    reader = FakeReader(clock, "deploy", "hidden")
    reader.mint("deploy", READABLE)
    reader.mint("hidden", HIDDEN)
    traffic = Traffic(Observed())
    routes = Routes(
        reader=reader,
        rules=RULES,
        clock=clock,
        boot=partial(getattr, clock, "boot"),
        traffic=traffic,
        own_uid=os.geteuid() or 4242,
    )
    transport = Transport()
    connection = UnixConnection(
        routes=routes,
        traffic=traffic,
        peer=PEER,
        clock=clock,
        patience=Patience(),
        lost=lambda _: None,
    )
    connection.connection_made(transport)
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for start, end in pairwise(edges):
        if not transport.closed:
            connection.data_received(data[start:end])
    answered = -1
    while answered != len(transport.sent):  # more requests than are answered in one turn of the loop
        answered = len(transport.sent)
        await asyncio.sleep(0)
    if not transport.closed:
        connection.eof_received()
    connection.finish()
    connection.connection_lost(None)
    return _judged(data, transport.sent)


def _judged(data: bytes, sent: bytes) -> list[int]:
    assert HIDDEN.encode() not in sent, "a token of somebody else"
    statuses = []
    while sent:
        head = _HEAD.match(sent)
        assert head is not None, f"not a response: {sent[:80]!r}"
        status, lines, rest = int(head[1]), head[2].lower(), sent[head.end() :]
        assert status in STATUSES, status
        assert b"cache-control: no-store\r\n" in lines
        statuses.append(status)
        length = re.search(rb"content-length: (\d+)\r\n", lines)
        if length is None:
            _lines(rest)
            break
        bodiless = b"HEAD" in data and (not rest or rest.startswith(b"HTTP/1.1 "))
        size = 0 if bodiless else int(length[1])
        body, sent = rest[:size], rest[size:]
        assert len(body) == size
        if status != 200:
            assert READABLE.encode() not in body
            document = json.loads(body) if body else {}
            assert "S3CR3T" not in str(document)
        if b"connection: close" in lines:
            assert not sent, "an answer after the last"
    return statuses


def _lines(stream: bytes) -> None:
    for line in stream.splitlines():
        assert "name" in json.loads(line)
