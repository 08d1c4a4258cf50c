"""One event of each kind that has a metric, and the record of a token.

Owns: examples. Refuses to know: what is expected of them.
"""

from __future__ import annotations

from broker.errors import ErrorClass
from broker.events import (
    BackendLogin,
    ClientSecretExpiryKnown,
    ClockSkewMeasured,
    ConfigReloaded,
    Event,
    HookRan,
    MintFailed,
    MintSucceeded,
    Published,
    SecretFetched,
    SocketDenied,
    SocketServed,
    TokenRejected,
    WorkersStuck,
)
from broker.model import TokenRecord

MINTED = MintSucceeded(
    token="deploy",
    authorization_server="odc",
    revision=3,
    issued_at=1_700_000_000.5,
    expires_at=1_700_000_295.5,
    expires_in=300,
    duration_seconds=0.2,
)
PUBLISHED = Published(token="deploy", sink="file", target="/run/t", outcome="success", revision=3)
TOLD = HookRan(
    token="deploy", sink="file", target="/run/t", outcome="success", revision=3, duration_seconds=0.1
)
DENIED = SocketDenied(token="deploy", uid=1000, pid=42, unit="app.service", count=2)
RECORD = TokenRecord(
    name="deploy",
    state="stale",
    condition="unreachable",
    reason="connection refused",
    revision=3,
    issued_at=1_700_000_000.5,
    expires_at=1_700_000_295.5,
    next_renewal_at=1_700_000_150.0,
    secret_version="4",
    consecutive_failures=2,
)


def failed(
    *, token: str = "deploy", error: ErrorClass = "transient", code: str = "unavailable"
) -> MintFailed:
    """An attempt that failed."""
    return MintFailed(
        token=token,
        authorization_server="odc",
        error=error,
        code=code,
        condition="unreachable",
        message="no answer",
        consecutive_failures=1,
        next_attempt_seconds=2.0,
        duration_seconds=0.2,
    )


EVENTS: tuple[Event, ...] = (
    MINTED,
    failed(),
    PUBLISHED,
    TOLD,
    DENIED,
    SecretFetched(backend="corp", outcome="success", duration_seconds=0.02),
    ClientSecretExpiryKnown(token="deploy", expires_at=1_800_000_000.0),
    BackendLogin(backend="corp", outcome="success", method="approle"),
    WorkersStuck(pool="corp", count=1),
    SocketServed(route="token", code=200, duration_seconds=0.000_05, count=3),
    TokenRejected(token="deploy", outcome="started"),
    ClockSkewMeasured(authorization_server="odc", seconds=-1.5),
    ConfigReloaded(outcome="success", message="reloaded"),
)
