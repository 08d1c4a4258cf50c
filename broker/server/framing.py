"""Where one request ends and the next begins (RFC 9112 2.2 and 6).

Owns: cutting heads and bodies out of what came in, and their limits. Refuses to know: sockets, routes, answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from broker.server.http import HEAD_END, LINE_END, BadRequest, Request, Response, parse_head
from broker.server.patience import Patience

Judge = Callable[[Request], Response | None]
"""A refusal that needs no body, or None."""


class Refused(Exception):
    """The request is answered with `response` although it is not whole; what follows cannot be read."""

    def __init__(self, response: Response) -> None:
        self.response = response


class Framing:
    """Takes requests out of one connection's bytes."""

    __slots__ = ("_judge", "_patience", "_request")

    def __init__(self, patience: Patience, judge: Judge) -> None:
        self._patience = patience
        self._judge = judge
        self._request: Request | None = None

    @property
    def inside(self) -> bool:
        """Whether a head has come, and its body not yet."""
        return self._request is not None

    def next(self, data: bytes, position: int) -> tuple[Request | None, int]:
        """The request at `position` and where it ends; None if more has to come. Raises BadRequest, Refused."""
        request = self._request
        if request is None:
            while data.startswith(LINE_END, position):
                position += len(LINE_END)  # an empty line before a request is ignored
            limit = position + self._patience.head_bytes
            end = data.find(HEAD_END, position, limit)
            if end < 0:
                if len(data) >= limit:
                    raise BadRequest(f"the request head is larger than {self._patience.head_bytes} bytes")
                return None, position
            end += len(HEAD_END)
            request = parse_head(data[position:end])
            position = end
            if request.body_bytes:
                self._look_at_body(request, len(data) - position)
        end = position + request.body_bytes
        if end > len(data):
            self._request = request
            return None, position
        self._request = None
        return replace(request, body=data[position:end]) if request.body_bytes else request, end

    def _look_at_body(self, request: Request, here: int) -> None:
        """Rights come before the body: who may not ask need not send it."""
        too_large = request.body_bytes > self._patience.body_bytes
        if too_large or request.body_bytes > here:
            response = self._judge(request)
            if response is not None:
                raise Refused(response)
        if too_large:
            raise BadRequest(f"the body is larger than {self._patience.body_bytes} bytes")
