"""How long a server asks us to pause.

Owns: Retry-After as seconds and as HTTP-date (RFC 9110 10.2.3), and the vendors' `x-ratelimit-reset`.
Refuses to know: what is done with the pause. Whatever a server says, the pause is at least a second and at
most a quarter of an hour.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

SHORTEST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 900.0
EPOCH_FROM: Final = 1_000_000_000.0
"""A reset above this is a point in time (it was 2001 then), below it a number of seconds."""

_NUMBER = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,9})?", re.ASCII)


def seconds(headers: Mapping[str, str], *, wall_now: float | None) -> float | None:
    """Seconds in [1, 900], or None if nothing is asked for. Nonsense, zero and the past count as one second.

    A date is compared with the server's own Date where there is one: no clock skew lengthens the pause.
    """
    server_now = http_date(headers.get("date", ""))
    now = server_now if server_now is not None else wall_now
    asked = headers.get("retry-after")
    if asked is not None:
        return _bounded(_retry_after(asked.strip(), now))
    reset = headers.get("x-ratelimit-reset")
    if reset is not None:
        return _bounded(_reset(reset.strip(), now))
    return None


def http_date(text: str) -> float | None:
    """Unix seconds of an HTTP-date in any of its three spellings (RFC 9110 5.6.7); None if it is none."""
    if not text or len(text) > 64:  # noqa: PLR2004 - the longest spelling has 33 characters
        return None
    try:
        moment = parsedate_to_datetime(text)
        # asctime's spelling has no zone, and HTTP means UTC.
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _retry_after(text: str, now: float | None) -> float:
    if _NUMBER.fullmatch(text):
        return float(text)
    at = http_date(text)
    return 0.0 if at is None or now is None else at - now


def _reset(text: str, now: float | None) -> float:
    if not _NUMBER.fullmatch(text):
        return 0.0
    reset = float(text)
    if reset < EPOCH_FROM:
        return reset
    return 0.0 if now is None else reset - now


def _bounded(pause: float) -> float:
    return min(max(pause, SHORTEST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
