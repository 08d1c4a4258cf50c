"""When a client secret is looked at again, and what a second look means.

Owns: the pace of polling, the verdict after a rejection, the date rules of expiring secrets. Refuses to know: where
secrets live.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from broker.errors import Condition
from broker.model import Client

POLL_SPREAD = 0.2
AWAITING_FIRST_SECONDS = 15.0
AWAITING_LAST_SECONDS = 30.0
AWAITING: frozenset[Condition] = frozenset({"credential_rejected", "awaiting_secret", "secret_missing"})

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def poll_delay_seconds(condition: Condition, *, poll_seconds: float, draw: float) -> float:
    """Seconds until the version is asked for again: every 15-30 s while a new secret is what is missing (R-074)."""
    if condition in AWAITING:
        awaiting = AWAITING_FIRST_SECONDS + draw * (AWAITING_LAST_SECONDS - AWAITING_FIRST_SECONDS)
        return min(awaiting, max(1.0, poll_seconds))
    return max(1.0, poll_seconds * (1 - POLL_SPREAD + 2 * POLL_SPREAD * draw))


def is_new(reread: Client, used: Client) -> bool:
    """Whether a re-read after a rejection is worth a mint at once: only a changed value is (R-050)."""
    return reread != used


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
