"""How far the authorization server's clock is from ours (RFC 9110 6.6.1 `Date`).

For operators only: a skew never moves an expiry (R-069).
"""

from __future__ import annotations

from broker.model import HttpResponse
from broker.oauth.retry_after import http_date


def clock_skew_seconds(response: HttpResponse, *, wall_now: float) -> float | None:
    """Server minus us, in seconds; None where the answer has no usable Date (Keycloak sends none)."""
    date = http_date(response.headers.get("date", ""))
    return None if date is None else date - wall_now
