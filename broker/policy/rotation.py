"""When a client secret is looked at again, and what a second look means.

Owns: the pace of polling, the verdict after a rejection, the date rules of expiring secrets. Refuses to know: where
secrets live.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from broker.errors import Condition
from broker.model import Client

POLL_SPREAD = 0.2
AWAITING_FIRST_SECONDS = 15.0
AWAITING_LAST_SECONDS = 30.0
ROLLBACK_READS = 3
ROLLBACK_SECONDS = 60.0
AWAITED_SECONDS = 120.0
"""So long a version that was told is waited for; a plug-in may tell versions that no read ever gives."""
LAG_REMEMBERED_SECONDS = 3600.0
"""So long a backend that answered with the past is one whose single answer settles nothing."""
VERSIONS_REMEMBERED = 32
AWAITING: frozenset[Condition] = frozenset({"credential_rejected", "awaiting_secret", "secret_missing"})

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def poll_delay_seconds(condition: Condition, *, poll_seconds: float, draw: float) -> float:
    """Seconds until the version is asked for again: every 15-30 s while a new secret is what is missing (R-074)."""
    if condition in AWAITING:
        awaiting = AWAITING_FIRST_SECONDS + draw * (AWAITING_LAST_SECONDS - AWAITING_FIRST_SECONDS)
        return min(awaiting, max(1.0, poll_seconds))
    return max(1.0, poll_seconds * (1 - POLL_SPREAD + 2 * POLL_SPREAD * draw))


def untried(found: Iterable[Client], used: Iterable[Client]) -> list[Client]:
    """Which of the credentials found by a second look are worth a mint at once: only changed values are (R-050)."""
    tried = list(used)
    return [client for client in found if client not in tried]


@dataclass(frozen=True, slots=True)
class Versions:
    """The version in force and those that it superseded, oldest first; versions have no order of their own."""

    current: str | None = None
    superseded: tuple[str, ...] = ()
    doubted: str | None = None
    doubts: int = 0
    doubted_since: float = 0.0
    told: str | None = None
    """A newer version, of which the backend told and which no read has given yet."""
    told_since: float = 0.0

    def is_past(self, version: str | None) -> bool:
        """Whether this is a superseded one: a lagging replica's answer, or an operator's rollback."""
        return version in self.superseded

    def is_behind(self, version: str | None, now: float) -> bool:
        """Whether a read of this version is older than what the backend told."""
        awaited = self.told is not None and now - self.told_since < AWAITED_SECONDS
        return awaited and (version == self.current or self.is_past(version))

    def confirmed(self) -> Versions:
        """The backend told of the current version once more: nobody rolled back."""
        return self if self.doubted is None else replace(self, doubted=None, doubts=0)

    def after_news(self, version: str, now: float) -> Versions:
        """The backend told of a version that was never seen."""
        return self if version == self.told else replace(self, told=version, told_since=now)


def judge(
    versions: Versions, seen: str, now: float, *, rejected: Literal["neither", "seen", "current"] = "neither"
) -> tuple[Versions, bool]:
    """What a read version means, and whether the read is stale (R-078).

    A version that was superseded before is what a lagging replica answers: it is not used, unless three reads over a
    minute say the same, which is an operator's rollback. The authorization server knows better: nobody rolls back to a
    secret that it rejected while the current one works, and if it rejected the current one alone, the other is right.
    """
    if seen == versions.current:
        return versions.confirmed(), False
    if seen in versions.superseded and rejected == "seen":
        return versions, True
    if seen in versions.superseded and rejected == "neither":
        again = versions.doubted == seen
        doubts = versions.doubts + 1 if again else 1
        since = versions.doubted_since if again else now
        if doubts < ROLLBACK_READS or now - since < ROLLBACK_SECONDS:
            return replace(versions, doubted=seen, doubts=doubts, doubted_since=since), True
    former = (*versions.superseded, versions.current) if versions.current is not None else versions.superseded
    kept = tuple(version for version in former if version != seen)[-VERSIONS_REMEMBERED:]
    return Versions(current=seen, superseded=kept), False


def parse_expiry(text: str) -> float:
    """Unix seconds of a secret's expiry: RFC 3339, or a date that means 23:59 UTC of that day (R-081).

    Raises ValueError without the text.
    """
    try:
        if _DATE.fullmatch(text):
            return datetime.fromisoformat(f"{text}T23:59:00+00:00").timestamp()
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("neither a date (YYYY-MM-DD) nor an RFC 3339 time") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
