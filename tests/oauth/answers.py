"""Answers of a token endpoint, and what the broker makes of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

import pytest

from broker.errors import BrokerError
from broker.model import AccessToken, HttpResponse, Moment, TokenRequest
from broker.oauth.token_endpoint import parse_answer

ErrorT = TypeVar("ErrorT", bound=BrokerError)

TOKEN = "S3CR3T-access.token"
ISSUED = Moment(1_700_000_000.0, 5_000.0)
WALL_NOW = 1_700_000_002.0


def answer(
    members: Mapping[str, Any] | bytes, status: int = 200, *, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """A JSON answer, or one with exactly these bytes."""
    body = members if isinstance(members, bytes) else json.dumps(members).encode()
    return HttpResponse(
        status=status, headers={"content-type": "application/json", **(headers or {})}, body=body
    )


def good(**changes: Any) -> dict[str, Any]:
    """The members of a proper answer, with changes; None leaves one out."""
    members: dict[str, Any] = {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 300} | changes
    return {name: value for name, value in members.items() if value is not None}


def parse(
    response: HttpResponse,
    *,
    scope: tuple[str, ...] = (),
    default_lifetime_seconds: float | None = None,
) -> AccessToken:
    """What is read from it."""
    return parse_answer(
        response,
        request=TokenRequest(scope=scope),
        issued=ISSUED,
        wall_now=WALL_NOW,
        default_lifetime_seconds=default_lifetime_seconds,
        secret_version="7",
    )


def refusal(
    kind: type[ErrorT],
    response: HttpResponse,
    *,
    scope: tuple[str, ...] = (),
    default_lifetime_seconds: float | None = None,
) -> ErrorT:
    """The error that it is refused with: exactly this class, and nothing of the body in or behind it."""
    with pytest.raises(kind) as caught:
        parse(response, scope=scope, default_lifetime_seconds=default_lifetime_seconds)
    error = caught.value
    assert kind is type(error)
    assert (None, None) == (error.__cause__, error.__context__)
    assert "S3CR3T" not in f"{error!s}{error.code}{error!r}"
    return error
