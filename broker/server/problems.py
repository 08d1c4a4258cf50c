"""Error answers of the socket: RFC 9457 problem details, one code for each thing a caller can do about it.

Owns: the codes, their HTTP status, their words. Refuses to know: sockets, rules, clocks.
"""

from __future__ import annotations

import http
import json
import math
from typing import Literal, get_args

from broker.model import TokenRecord
from broker.policy.readiness import UnusableCode
from broker.server.http import Response

Code = (
    UnusableCode
    | Literal["denied", "not_found", "method_not_allowed", "invalid_request", "rate_limited", "min_valid"]
)

_STATUS: dict[Code, int] = {
    "denied": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "invalid_request": 400,
    "rate_limited": 429,
    "min_valid": 503,
    **dict.fromkeys(get_args(UnusableCode), 503),
}

RETRY_SECONDS = 5
"""What a caller is told where the broker itself has no better idea."""

_RENEW_INTERVAL_SECONDS = 10
_REPORT_INTERVAL_SECONDS = 60

_HELP: dict[Code, str] = {
    "starting": "The first mint is on its way; ask again, or send wait=5s.",
    "unreachable": "Look at the network and at both upstreams; token-broker status says which one fails, and how.",
    "throttled": "The authorization server asked for a pause; the broker goes on by itself.",
    "awaiting_secret": "Store the rotated client secret in the secret backend; the broker polls for it.",
    "credential_rejected": "Store a valid client secret in the secret backend; the broker polls for it.",
    "misconfigured": "Correct the configuration or the stored secret; token-broker status says what is wrong.",
    "expired": "The broker keeps trying to renew it; token-broker status says why that fails.",
    "min_valid": "Ask for less, or send wait=5s.",
    "rate_limited": "A renewal was just done; use the current token.",
}


def problem(
    code: Code,
    *,
    detail: str,
    help_text: str,
    route: str,
    retry_after: int | None = None,
    headers: tuple[tuple[str, str], ...] = (),
) -> Response:
    """A problem document; `retry_after`, in seconds, is repeated as a header (RFC 9110 10.2.3)."""
    status = _STATUS[code]
    document = {
        "type": "about:blank",
        "title": http.HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "help": help_text,
        "retry_after": retry_after,
    }
    if retry_after is not None:
        headers = (*headers, ("Retry-After", str(retry_after)))
    return Response(
        status=status,
        body=json.dumps(document).encode(),
        content_type="application/problem+json",
        headers=headers,
        route=route,
    )


def denied(name: str, *, uid: int, route: str) -> Response:
    """For what this peer may not read and for what does not exist: the answers differ in the name only."""
    return problem(
        "denied",
        detail=f"There is no token {name!r} that uid {uid} may read.",
        help_text=f"Add the user or one of its groups to tokens.{name}.allow in the configuration.",
        route=route,
    )


def not_found() -> Response:
    """For a path that is no route."""
    return problem(
        "not_found",
        detail="There is no such resource.",
        help_text="Resources: /v1/tokens, /v1/tokens/NAME, /v1/tokens/NAME/renew, "
        "/v1/tokens/NAME/reject, /v1/status, /v1/watch, /v1/openapi.json.",
        route="other",
    )


def method_not_allowed(allow: str, *, route: str) -> Response:
    """For a route that is asked with another method (RFC 9110 15.5.6)."""
    return problem(
        "method_not_allowed",
        detail="The resource does not offer this method.",
        help_text=f"Use {allow}.",
        route=route,
        headers=(("Allow", allow),),
    )


def invalid_request(detail: str, *, route: str) -> Response:
    """For what cannot be understood; `detail` repeats nothing that was sent."""
    return problem(
        "invalid_request",
        detail=f"{detail[:1].upper()}{detail[1:]}.",
        help_text="Send an HTTP/1.1 request as in: curl --unix-socket PATH http://localhost/v1/tokens/NAME?min_valid=60s",
        route=route,
    )


def too_many_connections() -> Response:
    """For who is turned away at the door."""
    return problem(
        "rate_limited",
        detail="Too many connections are open.",
        help_text="Keep one connection open and use it again, or close those that are idle.",
        route="other",
        retry_after=1,
    )


def unusable(record: TokenRecord, code: Code, *, route: str) -> Response:
    """Why a known token cannot be had as asked; `code` is one of those with status 503."""
    return problem(
        code,
        detail=f"{record.name} is {record.state}, {record.condition}: {record.reason}",
        help_text=_HELP[code],
        route=route,
        retry_after=_retry_after(record),
    )


def lives_too_short(record: TokenRecord, left_seconds: int, wanted_seconds: float) -> Response:
    """For a valid token that does not live as long as was asked for."""
    return problem(
        "min_valid",
        detail=f"{record.name} is valid for {left_seconds} s, and {wanted_seconds:g} s were asked for.",
        help_text=_HELP["min_valid"],
        route="get",
        retry_after=RETRY_SECONDS,
    )


def reported_too_often(record: TokenRecord, *, route: str) -> Response:
    """For more reports of refused tokens than lead to mints."""
    return problem(
        "rate_limited",
        detail=f"{record.name} was reported as refused more than once a minute or ten times an hour.",
        help_text="If new tokens are refused too, look at the API and at the client's permissions.",
        route=route,
        retry_after=_REPORT_INTERVAL_SECONDS,
    )


def rate_limited(record: TokenRecord, *, route: str) -> Response:
    """For more renewals on demand than the burst allows."""
    return problem(
        "rate_limited",
        detail=f"{record.name} was renewed too often at callers' request.",
        help_text=_HELP["rate_limited"],
        route=route,
        retry_after=_RENEW_INTERVAL_SECONDS,
    )


def _retry_after(record: TokenRecord) -> int:
    if record.retry_after_seconds is None:
        return RETRY_SECONDS
    return max(1, math.ceil(record.retry_after_seconds))
