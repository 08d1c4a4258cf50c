"""What is ready, and what a caller without a usable token is told.

Owns: readiness of the daemon and of one token, the error code of a token that cannot be served. Refuses to know: HTTP,
systemd.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, assert_never

from broker.errors import Condition
from broker.model import TokenRecord

UnusableCode = Literal[
    "starting",
    "unreachable",
    "throttled",
    "awaiting_secret",
    "credential_rejected",
    "misconfigured",
    "expired",
]


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the daemon can do its job from what it holds; `reasons` has a line for each token that is in the way."""

    ready: bool
    reasons: tuple[str, ...]


def readiness(records: Iterable[TokenRecord]) -> Readiness:
    """Ready while each of these (the required tokens) is fresh or stale; no upstream is asked (R-150)."""
    reasons = tuple(
        f"{record.name}: {record.state}, {record.condition}: {record.reason}"
        for record in records
        if record.state not in ("fresh", "stale")
    )
    return Readiness(not reasons, reasons)


def unusable_code(record: TokenRecord) -> UnusableCode:
    """Why a token that is absent or expired cannot be served, as one word for programs."""
    code = _code_of(record.condition)
    if record.state == "expired" and code not in ("credential_rejected", "misconfigured"):
        return "expired"
    return code


def _code_of(condition: Condition) -> UnusableCode:
    match condition:
        case "ok" | "renewing" | "publish_failed":
            return "starting"
        case "unreachable" | "backend_unreachable" | "protocol_error":
            return "unreachable"
        case "throttled" | "awaiting_secret" | "credential_rejected" | "misconfigured":
            return condition
        case "backend_denied" | "secret_missing":
            return "misconfigured"
        case _:
            assert_never(condition)
