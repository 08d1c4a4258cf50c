"""How far the authorization server's clock is from ours (RFC 9110 6.6.1 `Date`).

For operators only: a skew never moves an expiry (R-069).
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from broker.model import HttpResponse


def clock_skew_seconds(response: HttpResponse, *, wall_now: float) -> float | None:
    """Server minus us, in seconds; None where the answer has no usable Date (Keycloak sends none)."""
    date = response.headers.get("date")
    if date is None:
        return None
    try:
        return parsedate_to_datetime(date).timestamp() - wall_now
    except (ValueError, OverflowError):
        return None
