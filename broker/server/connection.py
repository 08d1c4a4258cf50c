"""One HTTP/1.1 connection: framing, order, and the patience we have with a peer.

Owns: cutting heads out of the stream, pipelining answered in order, keep-alive, back-pressure and deadlines.
Refuses to know: routes, tokens, who the peer is. Deadlines are checked by the listener's sweep, so that a
request sets no timer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import cast

from broker.ports import Clock
from broker.server.http import HEAD_END, LINE_END, BadRequest, Request, Response, Stream, parse_head
from broker.server.patience import Patience, Phase

_REQUESTS_PER_TURN = 64  # then the other connections get theirs
_SEND_BYTES = 65_536  # pipelined answers are joined up to here
_UNREAD_BYTES = 16_384  # more while an answer is on its way: the kernel keeps it


class Connection(asyncio.Protocol):
    """Base of what serves one peer; subclasses say what the answer is."""

    __slots__ = (
        "_answering",
        "_blocked",
        "_body",
        "_body_left",
        "_buffer",
        "_clock",
        "_eof",
        "_loop",
        "_lost",
        "_patience",
        "_phase",
        "_reading",
        "_request",
        "_since",
        "_transport",
        "_turn",
        "active",
        "made",
        "open",
    )

    def __init__(self, *, clock: Clock, patience: Patience, lost: Callable[[Connection], None]) -> None:
        self.open = False
        """True between messages: whole requests may be answered at once, out of band of this class."""
        self.active = False
        """Set by whoever answers out of band; the next sweep takes it as a sign of life."""
        self.made = False
        """Whether the event loop has handed over a transport, and will tell of its end."""
        self._clock = clock
        self._patience = patience
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()
        self._phase: Phase = "idle"
        self._buffer = b""
        self._request: Request | None = None
        self._body = b""
        self._body_left = 0
        self._answering: asyncio.Task[None] | None = None
        self._turn: asyncio.Handle | None = None
        self._blocked = False
        self._reading = True
        self._eof = False

    # What a subclass says

    def respond(self, request: Request) -> Response | Stream | Awaitable[Response]:
        """The answer, a stream that takes the connection over, or the promise of an answer. Raises nothing."""
        raise NotImplementedError

    def refuse(self, reason: str) -> Response:
        """The answer to what is not a request."""
        raise NotImplementedError

    def served(self, response: Response, *, seconds: float) -> None:
        """Called for each answer, with the time it took."""

    # What the event loop says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.made = True
        self._transport = cast("asyncio.Transport", transport)
        # We hear of the first byte that does not fit, so that the patience with slow readers is exact.
        self._transport.set_write_buffer_limits(high=0)
        self._settle()

    def data_received(self, data: bytes) -> None:
        self.receive(data)

    def receive(self, data: bytes) -> None:
        """Take what came in and answer all of it that can be answered."""
        if self._phase == "streaming":
            return
        self._buffer = self._buffer + data if self._buffer else data
        if self._answering is None and self._turn is None and not self._blocked:
            self._advance()
        elif len(self._buffer) > _UNREAD_BYTES and self._reading:
            self._reading = False
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        self._eof = True
        # Half-closed is not closed: the peer still reads what it asked for.
        return self._answering is not None or self._turn is not None or self._blocked

    def pause_writing(self) -> None:
        if self._phase == "streaming":
            return
        self._blocked = True
        self._settle()

    def resume_writing(self) -> None:
        if self._phase == "streaming":
            return
        self._blocked = False
        self._advance()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - how it ended changes nothing
        self.open = False
        self._phase = "closing"
        if self._answering is not None:
            self._answering.cancel()
        if self._turn is not None:
            self._turn.cancel()
        self._lost(self)

    # What the listener says

    def sweep(self, now: float) -> None:
        """Abort the connection if the peer has used up our patience; `now` is the loop's time."""
        if self.active:
            self.active = False
            self._since = now
        if now - self._since > self._patience.seconds(self._phase):
            self.abort()

    def close(self) -> None:
        """Send what was answered, answer nothing more."""
        if self._answering is not None:
            self._answering.cancel()
        if self.made:
            self._close()

    def abort(self) -> None:
        """Drop everything."""
        if self.made:
            self._transport.abort()

    # Private

    def _advance(self) -> None:
        """Answer what the buffer holds, up to an answer that takes time or a peer that does not read."""
        self._turn = None
        out: list[bytes] = []
        size = answered = 0
        data, position = self._buffer, 0
        while self._phase != "closing" and self._answering is None and not self._blocked:
            if answered == _REQUESTS_PER_TURN:
                self._turn = self._loop.call_soon(self._advance)
                break
            started = self._clock.now()
            try:
                request, position = self._next_request(data, position)
            except BadRequest as refusal:
                response: Response | Stream | Awaitable[Response] = self.refuse(str(refusal))
                request = None
            else:
                if request is None:
                    break
                response = self.respond(request)
            if isinstance(response, Stream):
                out.append(response.head(wall=started.wall))
                self._transport.write(b"".join(out))
                self._buffer, self._phase, self.open = b"", "streaming", False
                response.begin(self._transport)
                return
            if not isinstance(response, Response):
                self._answering = self._loop.create_task(self._answer(request, response, started.boot))
                break
            content, last = self._render(request, response, started.wall)
            out.append(content)
            size += len(content)
            answered += 1
            self.served(response, seconds=self._clock.now().boot - started.boot)
            if last:
                self._phase = "closing"
            elif size > _SEND_BYTES:
                self._transport.write(b"".join(out))  # may call pause_writing
                out.clear()
                size = 0
        self._buffer = data[position:]
        if out:
            self._transport.write(b"".join(out))
        self._proceed(progress=answered > 0)

    def _next_request(self, data: bytes, position: int) -> tuple[Request | None, int]:
        """The next whole request and where it ends; None if more has to come. Raises BadRequest."""
        request = self._request
        if request is None:
            while data.startswith(
                LINE_END, position
            ):  # RFC 9112 2.2: an empty line before a request is ignored
                position += len(LINE_END)
            limit = position + self._patience.head_bytes
            end = data.find(HEAD_END, position, limit)
            if end < 0:
                if len(data) >= limit:
                    raise BadRequest(f"the request head is larger than {self._patience.head_bytes} bytes")
                return None, position
            end += len(HEAD_END)
            request = parse_head(data[position:end])
            if request.body_bytes > self._patience.body_bytes:
                raise BadRequest(f"the body is larger than {self._patience.body_bytes} bytes")
            position = end
            self._body, self._body_left = b"", request.body_bytes
        taken = min(self._body_left, len(data) - position)
        self._body += data[position : position + taken]
        self._body_left -= taken
        self._request = request if self._body_left else None
        if self._body_left:
            return None, position + taken
        return (replace(request, body=self._body) if self._body else request), position + taken

    async def _answer(self, request: Request | None, promise: Awaitable[Response], started: float) -> None:
        try:
            response = await promise
        except Exception:  # a bug: it reaches the loop's exception handler, and the peer sees the end
            self.abort()
            raise
        now = self._clock.now()
        content, last = self._render(request, response, now.wall)
        self._answering = None
        if last:
            self._phase = "closing"
        self._transport.write(content)
        self.served(response, seconds=now.boot - started)
        if last or self._blocked:
            self._proceed(progress=True)
        else:
            self._advance()

    def _render(self, request: Request | None, response: Response, wall: float) -> tuple[bytes, bool]:
        """The bytes, and whether they are the last here. `request` is None if it was refused."""
        keep_alive = request is not None and request.keep_alive
        with_body = request is None or request.method != "HEAD"
        return response.render(wall=wall, keep_alive=keep_alive, with_body=with_body), not keep_alive

    def _proceed(self, *, progress: bool) -> None:
        """After answers were written: close, or go on reading."""
        busy = self._answering is not None or self._turn is not None or self._blocked
        if self._phase == "closing" or (self._eof and not busy):
            self._close()
            return
        if not self._reading and not busy:
            self._reading = True
            self._transport.resume_reading()
        self._settle(progress=progress)

    def _settle(self, *, progress: bool = False) -> None:
        """Name the phase; its patience starts again when it changes or when a request was answered."""
        if self._phase == "closing":
            return
        phase: Phase = "idle"
        if self._blocked:
            phase = "sending"
        elif self._answering is not None or self._turn is not None:
            phase = "answering"
        elif self._buffer or self._request is not None:
            phase = "receiving"
        if progress or phase != self._phase:
            self._since = self._loop.time()
        self._phase = phase
        self.open = phase == "idle"

    def _close(self) -> None:
        self.open = False
        self._phase = "closing"
        self._since = self._loop.time()
        self._transport.close()
