"""Answers that need no thinking: request bytes that were parsed once, and the bytes to send for them.

Owns: the bounded map from exact request heads to rendered answers, and how long a rendered answer may be
sent: while its revision is current and until its `expires_in` counts down. Refuses to know: whether the peer
may have it; that is asked each time.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from broker.model import Revision
from broker.ports import Clock, TokenReader
from broker.server.answers import Want, token
from broker.server.http import Request
from broker.server.traffic import Traffic

_HEADS_MAX = 1024
_HEAD_BYTES_MAX = 1024  # a request that real clients send has 70 to 300


class QuickAnswer:
    """Bytes to send while `revision` is current and the boot clock before `until`; how often they were."""

    __slots__ = ("content", "name", "revision", "seconds", "served", "until", "want")

    def __init__(self, name: str, want: Want) -> None:
        self.name = name
        self.want = want
        self.revision: Revision | None = None
        self.until = -math.inf
        self.content = b""
        self.served = 0
        self.seconds = 0.0


class QuickAnswers:
    """The map. Heads that ask the same way share one answer."""

    def __init__(self, reader: TokenReader, clock: Clock, boot: Callable[[], float]) -> None:
        self._by_head: dict[bytes, QuickAnswer] = {}
        self._answers: dict[tuple[str, Want], QuickAnswer] = {}
        self._uncounted: list[QuickAnswer] = []
        self._reader = reader
        self._revision = reader.revision
        self._clock = clock
        self._boot = boot

    def find(self, head: bytes) -> QuickAnswer | None:
        """The answer to exactly these bytes as it is now; None where it takes thinking. Who sends it, counts it."""
        answer = self._by_head.get(head)
        if answer is None:
            return None
        now = self._boot()
        try:
            current = now < answer.until and self._revision(answer.name) is answer.revision
            if not current and not self._render(answer):
                return None
        except KeyError:  # the name has just left the configuration
            return None
        if not answer.served:
            answer.seconds = self._boot() - now  # stands for all until the next count
        return answer

    def learn(self, request: Request, name: str, want: Want) -> None:
        """Have the next equal request answered quickly; `want` can be satisfied now."""
        if not request.keep_alive or request.body_bytes or len(request.head) > _HEAD_BYTES_MAX:
            return
        if len(self._by_head) >= _HEADS_MAX:
            self.clear()
        answer = self._answers.setdefault((name, want), QuickAnswer(name, want))
        if self._render(answer):
            self._by_head[request.head] = answer

    def clear(self) -> None:
        """Forget everything but the counts: nobody is granted any of these answers again."""
        self._uncounted += [answer for answer in self._answers.values() if answer.served]
        self._answers.clear()
        self._by_head.clear()

    def count(self, traffic: Traffic) -> None:
        """Add what was served since the last time."""
        for answer in (*self._uncounted, *self._answers.values()):
            if answer.served:
                traffic.served("get", 200, seconds=answer.seconds * answer.served, count=answer.served)
                answer.served, answer.seconds = 0, 0.0
        self._uncounted.clear()

    def _render(self, answer: QuickAnswer) -> bool:
        """Bring it up to date; whether the token can be had as it is wanted."""
        now = self._clock.now()
        revision = self._reader.revision(answer.name)
        if answer.revision is revision and now.boot < answer.until:
            return True
        response = token(self._reader, answer.name, answer.want, now)
        if revision is None or response is None:
            return False
        remaining = revision.token.remaining_seconds(now)
        answer.content = response.render(wall=now.wall)
        answer.revision = revision
        answer.until = now.boot + min(remaining - math.floor(remaining), remaining - answer.want.min_valid)
        return True
