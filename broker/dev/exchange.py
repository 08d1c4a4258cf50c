"""One HTTP connection of the development authorization server, and the faults that are played on it.

Owns: reading a request, noting it in the ledger, rendering an answer, and delivering its bytes well or
badly. Refuses to know: what the answer says. Every wait ends when the server stops or the peer leaves.
"""

from __future__ import annotations

import gzip
import json
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from threading import Event
from typing import Any, Final
from urllib.parse import parse_qsl

from broker.dev.faults import Fault
from broker.dev.ledger import Exchange, Ledger
from broker.dev.token_service import Answer, Call

LARGEST_REQUEST: Final = 1024 * 1024
_CHUNK: Final = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
_LOOK_EVERY_SECONDS: Final = 0.1
_NO_FAULT: Final = Fault()


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a connection needs of its server."""

    ledger: Ledger
    stopping: Event
    endpoint_of: Callable[[str], str]
    take_fault: Callable[[str], Fault | None]
    answer: Callable[[str, Call, Fault], Answer]
    date_offset_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rendered:
    head: bytes
    body: bytes = field(repr=False)


class ExchangeHandler(BaseHTTPRequestHandler):
    """Serves one connection with keep-alive; subclassed with a `site` by the server."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    site: Site

    def do_GET(self) -> None:
        """Serve one request."""
        self._serve()

    def do_POST(self) -> None:
        """Serve one request."""
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by http.server
        """Say nothing: the ledger keeps what is to be known."""

    def _serve(self) -> None:
        path = self.path.partition("?")[0]
        endpoint = self.site.endpoint_of(path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        size = min(int(headers.get("content-length", "0")), LARGEST_REQUEST)
        body = self.rfile.read(size)
        exchange = Exchange(
            endpoint=endpoint,
            method=self.command,
            path=path,
            headers=headers,
            form=dict(parse_qsl(body.decode("latin-1"), keep_blank_values=True)),
            body=body,
            peer_port=self.client_address[1],
        )
        self.site.ledger.add(exchange)
        fault = self.site.take_fault(endpoint) or _NO_FAULT
        if fault.delay_seconds and not self._pause(fault.delay_seconds):
            self.close_connection = True
            return
        if fault.status is not None:
            status, answer_headers, content = fault.status, dict(fault.headers), fault.body or b""
        else:
            call = Call(method=self.command, headers=headers, body=body)
            answer = self.site.answer(endpoint, call, fault)
            status, answer_headers = answer.status, {"Content-Type": "application/json", **answer.headers}
            content = _json(answer.members, fault.members if status == HTTPStatus.OK else {})
        if fault.compress:
            answer_headers["Content-Encoding"] = "gzip"
            content = gzip.compress(content)
        self._deliver(self._render(status, answer_headers, content, fault), fault, exchange, status)

    def _render(self, status: int, headers: dict[str, str], content: bytes, fault: Fault) -> _Rendered:
        if self.site.date_offset_seconds is not None:
            headers["Date"] = formatdate(time.time() + self.site.date_offset_seconds, usegmt=True)
        if fault.delivery == "endless":
            headers["Transfer-Encoding"] = "chunked"
        else:
            headers["Content-Length"] = str(len(content))
        reason = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Unknown"
        lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers.items())]
        return _Rendered(head="\r\n".join([*lines, "", ""]).encode("latin-1"), body=content)

    def _deliver(self, rendered: _Rendered, fault: Fault, exchange: Exchange, status: int) -> None:
        if fault.delivery != "whole":
            self.close_connection = True
        if fault.delivery == "close":
            return
        if fault.delivery == "reset":
            self._reset()
            return
        if fault.delivery == "hang":
            self._pause(None)
            return
        exchange.status = status
        if fault.delivery == "drip":
            self._drip(rendered.head + rendered.body, fault.interval_seconds)
        elif fault.delivery == "truncate":
            self.wfile.write(rendered.head + rendered.body[: len(rendered.body) // 2])
        elif fault.delivery == "endless":
            self.wfile.write(rendered.head)
            while not self.site.stopping.is_set():
                self.wfile.write(_CHUNK)
        else:
            self.wfile.write(rendered.head + rendered.body)

    def _drip(self, content: bytes, interval_seconds: float) -> None:
        for position in range(len(content)):
            self.wfile.write(content[position : position + 1])
            if self.site.stopping.wait(interval_seconds):
                return

    def _reset(self) -> None:
        """Close with RST instead of FIN: zero linger, and past the files that keep the socket open."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())

    def _pause(self, seconds: float | None) -> bool:
        """Wait, for ever if None; False as soon as the peer left or the server stops."""
        end = None if seconds is None else time.monotonic() + seconds
        while end is None or time.monotonic() < end:
            if self.site.stopping.is_set():
                return False
            left = _LOOK_EVERY_SECONDS if end is None else min(_LOOK_EVERY_SECONDS, end - time.monotonic())
            # Nothing more is due from the peer before it has its answer: readable means gone.
            if select.select([self.connection], [], [], max(left, 0))[0]:
                return False
        return True


def _json(members: Mapping[str, Any], raw: Mapping[str, str | None]) -> bytes:
    texts: dict[str, str | None] = {name: json.dumps(value) for name, value in members.items()}
    texts.update(raw)
    pairs = (f"{json.dumps(name)}:{text}" for name, text in texts.items() if text is not None)
    return ("{" + ",".join(pairs) + "}").encode()
