"""Who was refused on the socket, for the audit trail: no denial is lost, and no peer can fill the log with them.

Owns: what is told at once and what is added up: the first denial of a user, and then one sum a minute for as long as
there is something to add (R-172, R-173). Refuses to know: rules, streams, timers: somebody asks what is due.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Final

from broker.events import SocketDenied

SUM_SECONDS: Final = 60.0
MOST_NAMES: Final = 10
"""In the words of one sum; the other names are counted."""


@dataclass(slots=True)
class _User:
    told_at: float
    last: SocketDenied | None = None
    counts: Counter[str | None] = field(default_factory=Counter)


class Denials:
    """By user."""

    def __init__(self) -> None:
        self._users: dict[int, _User] = {}

    def add(self, event: SocketDenied, now: float) -> list[tuple[SocketDenied, str]]:
        """What is to be told at once, with the words for it."""
        user = self._users.get(event.uid)
        if user is None:
            self._users[event.uid] = _User(told_at=now)
            return [(event, f"{_who(event)} was refused{_times(event.count)}: {_why(event.token)}")]
        user.last = event
        user.counts[event.token] += event.count
        return self.due(now)

    def due(self, now: float) -> list[tuple[SocketDenied, str]]:
        """The sums of a minute that are to be told, and users forgotten that were refused nothing meanwhile."""
        found = []
        for uid, user in tuple(self._users.items()):
            if now - user.told_at < SUM_SECONDS:
                continue
            if user.last is None:
                del self._users[uid]
                continue
            found.append(_sum(user.last, user.counts))
            self._users[uid] = _User(told_at=now)
        return found


def _sum(last: SocketDenied, counts: Counter[str | None]) -> tuple[SocketDenied, str]:
    """The process and the unit are the last one's."""
    of_each = [
        f"{_why(token)}{_times(count)}"
        for token, count in sorted(counts.items(), key=lambda each: str(each[0]))
    ]
    words = "; ".join(of_each[:MOST_NAMES])
    if of_each[MOST_NAMES:]:
        words += f"; and {len(of_each) - MOST_NAMES} more tokens"
    event = replace(last, token=last.token if len(counts) == 1 else None, count=counts.total())
    return event, f"{_who(last)} was refused again{_times(event.count)}: {words}"


def _who(event: SocketDenied) -> str:
    known = [f"pid {event.pid}"] if event.pid is not None else []
    known += [f"unit {event.unit}"] if event.unit is not None else []
    return f"uid {event.uid}" + (f" ({', '.join(known)})" if known else "")


def _why(token: str | None) -> str:
    return f"tokens.{token}.allow does not name it" if token is not None else "no such token"


def _times(count: int) -> str:
    return f" {count} times" if count > 1 else ""
