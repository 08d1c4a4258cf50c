"""One HTTP/1.1 connection: order, and the patience we have with a peer.

Owns: pipelining answered in order, keep-alive, streams, back-pressure and deadlines.
Refuses to know: routes, tokens, who the peer is. Deadlines are checked by the listener's sweep, so that a
request sets no timer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

from broker.ports import Clock
from broker.server.framing import Framing, Refused
from broker.server.http import BadRequest, Request, Response, Stream
from broker.server.patience import Patience, Phase

# With 16 connections that pipeline, 2, 4, 8 and 16 a turn answer as many, and make others wait 0.7, 1.8, 4.9 and 21 ms.
_REQUESTS_PER_TURN = 2
_SEND_BYTES = 65_536  # pipelined answers are joined up to here
_UNREAD_BYTES = 16_384  # more while an answer is on its way: the kernel keeps it


class Connection(asyncio.Protocol):
    """Base of what serves one peer; subclasses say what the answer is."""

    __slots__ = (
        "_answering",
        "_blocked",
        "_buffer",
        "_clock",
        "_eof",
        "_finishing",
        "_framing",
        "_loop",
        "_lost",
        "_patience",
        "_phase",
        "_reading",
        "_since",
        "_stream",
        "_transport",
        "_turn",
        "_used",
        "active",
        "descriptor",
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
        self.descriptor = -1
        """The socket's number, set by the listener."""
        self._clock = clock
        self._patience = patience
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()
        self._phase: Phase = "idle"
        self._buffer = b""
        self._framing = Framing(patience, self.judge)
        self._stream: Stream | None = None
        self._answering: asyncio.Task[None] | None = None
        self._turn: asyncio.Handle | None = None
        self._blocked = False
        self._reading = True
        self._eof = False
        self._finishing = False
        self._used = False

    # What a subclass says

    def respond(self, request: Request) -> Response | Awaitable[Response]:
        """The answer, or the promise of one. Raises nothing."""
        raise NotImplementedError

    def refuse(self, reason: str) -> Response:
        """The answer to what is not a request."""
        raise NotImplementedError

    def judge(self, request: Request) -> Response | None:  # noqa: ARG002 - for subclasses
        """A refusal that needs no body, before the body has come; it ends the connection."""
        return None

    def served(self, response: Response, *, seconds: float) -> None:
        """Called for each answer, with the time it took."""

    def broken(self) -> None:
        """Called when the peer was gone before it had read what was sent, or without reading."""

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
        if self._stream is not None:
            return  # nothing that follows is ever answered
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
        self._blocked = True
        self._settle()

    def resume_writing(self) -> None:
        self._blocked = False
        if self._stream is None:
            self._advance()
        else:
            self._pump()
            self._proceed(progress=True)

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        self._phase = "closing"
        if isinstance(exc, ConnectionError):
            self.broken()
        if self._stream is not None:
            self._stream.stop()
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
            self._used = True
            self._since = now
        if now - self._since > self._patience.seconds(self._phase):
            self.abort()

    def finish(self) -> None:
        """Answer what is under way, or the first request of who has just come, and then close."""
        self._finishing = True
        self.open = False
        between = self._phase in ("idle", "streaming") and (self._used or self.active)
        if self.made and (between or self._stream is not None):
            self._close()

    def abort(self) -> None:
        """Drop everything."""
        self.open = False
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
            request, response, position = self._next(data, position)
            if response is None:
                break
            if not isinstance(response, Response):
                self._answering = self._loop.create_task(self._answer(request, response, started.boot))
                break
            content, last = self._render(request, response, started.wall)
            out.append(content)
            size += len(content)
            answered += 1
            self._used = True
            self.served(response, seconds=self._clock.now().boot - started.boot)
            if response.stream is not None:
                self._stream = response.stream
                break
            if last:
                self._phase = "closing"
            elif size > _SEND_BYTES:
                self._transport.write(b"".join(out))  # may call pause_writing
                out.clear()
                size = 0
        self._buffer = data[position:]
        if out:
            self._transport.write(b"".join(out))
        if self._stream is not None:
            self._buffer = b""
            self._stream.start(self._pump)
            self._pump()
        self._proceed(progress=answered > 0)

    def _next(
        self, data: bytes, position: int
    ) -> tuple[Request | None, Response | Awaitable[Response] | None, int]:
        """The next request, its answer, where it ends; no answer: more has to come; no request: it is refused."""
        try:
            request, position = self._framing.next(data, position)
        except BadRequest as bad:
            return None, self.refuse(str(bad)), position
        except Refused as refused:
            return None, refused.response, position
        return request, None if request is None else self.respond(request), position

    def _pump(self) -> None:
        """Send what the stream has, as far as the peer reads it."""
        while not self._blocked and self._phase != "closing" and self._stream is not None:
            piece = self._stream.take()
            if not piece:
                break
            self._transport.write(piece)  # may call pause_writing

    async def _answer(self, request: Request | None, promise: Awaitable[Response], started: float) -> None:
        try:
            response = await promise
        except Exception:  # a bug: it reaches the loop's exception handler, and the peer sees the end
            self.abort()
            raise
        now = self._clock.now()
        content, last = self._render(request, response, now.wall)
        self._answering = None
        self._used = True
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
        lasting = request is not None and request.keep_alive and response.stream is None
        keep_alive = lasting and not self._finishing
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
        elif self._stream is not None:
            phase = "streaming"
        elif self._buffer or self._framing.inside:
            phase = "receiving"
        if progress or phase != self._phase:
            self._since = self._loop.time()
        self._phase = phase
        self.open = phase == "idle" and not self._finishing

    def _close(self) -> None:
        self.open = False
        self._phase = "closing"
        self._since = self._loop.time()
        self._transport.close()
