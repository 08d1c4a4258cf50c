"""What happened, as plain dictionaries: all that the world and the checker share.

Owns: the record and its vocabulary. Refuses to know: what is right. Each record has `kind` and the three hands of time,
`loop`, `boot` and `wall`; a read that found what the one before it found is counted and not kept, so that years fit.

kind     further members
start    adopts: whether what was minted before is to be served again; None if what was kept has been spoilt
stop     how: stopped or killed; seconds: how long it took
reload   changed: names whose identity is another one now
fault    id, what, nature, phase: begin or end, tokens: the names that it concerns
secret   token, at: server or store, agrees: whether both ends know the same secret now
wish     token, what: renew or reject
ask      id, token, server, secret
answer   id, token, outcome: token, rejected, throttled, failed, lost or cut; value, expires_in of a token
forged   token, value: an answer that is no token held this
read     token, where: file or socket; value: None if there was none; state and expires_in on the socket
stray    url: a request to somebody else
told     text, level: an event, log line or metric
end
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Record = dict[str, Any]


class History:
    """Writes records, keeps them, and shows each to who listens."""

    def __init__(
        self, hands: Callable[[], tuple[float, float, float]], *listeners: Callable[[Record], None]
    ) -> None:
        self.records: list[Record] = []
        self.reads = 0
        self._hands = hands
        self._listeners = listeners
        self._last_read: dict[tuple[str, str], tuple[str | None, str | None]] = {}

    def write(self, kind: str, **members: Any) -> None:
        """One more record, now."""
        loop, boot, wall = self._hands()
        record = {"kind": kind, "loop": loop, "boot": boot, "wall": wall, **members}
        for listener in self._listeners:
            listener(record)
        if kind == "read":
            self.reads += 1
            place, found = (record["token"], record["where"]), (record["value"], record.get("state"))
            if self._last_read.get(place) == found:
                return
            self._last_read[place] = found
        if kind != "told":
            self.records.append(record)

    def count(self, kind: str, **members: Any) -> int:
        """How many kept records are of this kind and have these members."""
        return sum(
            record["kind"] == kind and all(record.get(key) == value for key, value in members.items())
            for record in self.records
        )
