"""Answers that need no thinking: request bytes that were parsed once, and the bytes to send for them.

Owns: the bounded map from exact request heads to rendered answers, and how long a rendered answer may be
sent: while its revision is current and until its `expires_in` counts down. Refuses to know: whether the peer
may have it; that is asked each time.
"""

from __future__ import annotations

import math

from broker.model import Revision
from broker.ports import Clock, TokenReader
from broker.server.answers import Want, token
from broker.server.http import Request
from broker.server.traffic import Traffic

_HEADS_MAX = 1024
_HEAD_BYTES_MAX = 1024  # a request that real clients send has 70 to 300


class QuickAnswer:
    """Bytes to send while `revision` is current and the boot clock before `until`; how often they were."""

    __slots__ = ("content", "name", "revision", "seconds", "served", "until")

    def __init__(self, name: str) -> None:
        self.name = name
        self.revision: Revision | None = None
        self.until = -math.inf
        self.content = b""
        self.served = 0
        self.seconds = 0.0


class QuickAnswers:
    """The map. Heads that ask the same way share one answer."""

    def __init__(self, reader: TokenReader, clock: Clock) -> None:
        self.by_head: dict[bytes, QuickAnswer] = {}
        self._answers: dict[tuple[str, float, bool], QuickAnswer] = {}
        self._uncounted: list[QuickAnswer] = []
        self._reader = reader
        self._clock = clock

    def learn(self, request: Request, name: str, want: Want) -> None:
        """Have the next equal request answered quickly; `want` can be satisfied now."""
        if not request.keep_alive or request.body_bytes or len(request.head) > _HEAD_BYTES_MAX:
            return
        if len(self.by_head) >= _HEADS_MAX:
            self.clear()
        key = (name, want.min_valid, want.text)
        answer = self._answers.setdefault(key, QuickAnswer(name))
        if self._render(answer, want):
            self.by_head[request.head] = answer

    def clear(self) -> None:
        """Forget everything but the counts."""
        self._uncounted += [answer for answer in self._answers.values() if answer.served]
        self._answers.clear()
        self.by_head.clear()

    def count(self, traffic: Traffic) -> None:
        """Add what was served since the last time."""
        for answer in (*self._uncounted, *self._answers.values()):
            if answer.served:
                traffic.served("get", 200, seconds=answer.seconds * answer.served, count=answer.served)
                answer.served, answer.seconds = 0, 0.0
        self._uncounted.clear()

    def _render(self, answer: QuickAnswer, want: Want) -> bool:
        now = self._clock.now()
        revision = self._reader.revision(answer.name)
        if answer.revision is revision and now.boot < answer.until:
            return True
        response = token(self._reader, answer.name, want, now)
        if revision is None or response is None:
            return False
        remaining = revision.token.remaining_seconds(now)
        answer.content = response.render(wall=now.wall)
        answer.revision = revision
        answer.until = now.boot + min(remaining - math.floor(remaining), remaining - want.min_valid)
        return True
