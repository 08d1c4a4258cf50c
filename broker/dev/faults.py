"""Faults of the development authorization server, by name.

Owns: what can be wrong with one exchange, as values, and the catalogue that `dev` and the tests name.
Refuses to know: how a fault is played on a connection (`exchange`), and what a broker should make of it.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Final, Literal

Delivery = Literal["whole", "close", "reset", "hang", "drip", "truncate", "endless"]

BOMB_BYTES: Final = 50 * 1024 * 1024
OVERSIZE_BYTES: Final = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """How one exchange goes wrong; a field left alone leaves that part of the exchange as it should be.

    `status` and `body` replace the answer, and then nothing is minted. `members` are raw JSON texts put in
    place of members of a proper answer; None removes one. `delivery` is what happens to the answer's bytes:
    sent whole, dropped with the connection (closed or reset), never sent, sent a byte per
    `interval_seconds`, cut off in the middle, or followed by a body without end.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    members: Mapping[str, str | None] = field(default_factory=dict)
    same_token: bool = False
    compress: bool = False
    delay_seconds: float = 0.0
    delivery: Delivery = "whole"
    interval_seconds: float = 1.0


def status(code: int, *, retry_after: str | None = None, reset: str | None = None, error: str = "") -> Fault:
    """A status with a small error object, or an empty body; `reset` is the x-ratelimit-reset header."""
    headers = {"Retry-After": retry_after, "X-RateLimit-Reset": reset}
    return Fault(
        status=code,
        headers={name: value for name, value in headers.items() if value is not None},
        body=json.dumps({"error": error}).encode() if error else b"",
    )


def redirect(code: int, location: str) -> Fault:
    """A redirect; on 307 and 308 a careless client sends its secret there."""
    return Fault(status=code, headers={"Location": location}, body=b"")


def members(**raw: str | None) -> Fault:
    """A proper answer in which these members are raw JSON text (`expires_in="1e400"`), or missing (None)."""
    return Fault(members=raw)


def body(content: bytes, *, code: int = 200, content_type: str = "application/json") -> Fault:
    """This body instead of an answer."""
    return Fault(status=code, headers={"Content-Type": content_type}, body=content)


def delay(seconds: float) -> Fault:
    """A proper answer, late."""
    return Fault(delay_seconds=seconds)


def issuer(value: str) -> Fault:
    """Metadata of another issuer."""
    return members(issuer=json.dumps(value))


def token_endpoint(url: str) -> Fault:
    """Metadata that sends the client's secret elsewhere."""
    return members(token_endpoint=json.dumps(url))


_PAGE: Final = b"<!DOCTYPE html><html><body><h1>Down for maintenance</h1></body></html>"


@cache
def bomb() -> Fault:
    """50 MB of spaces in 50 KB of gzip."""
    return Fault(
        status=200,
        headers={"Content-Type": "application/json", "Content-Encoding": "gzip"},
        body=gzip.compress(b" " * BOMB_BYTES, compresslevel=9),
    )


CATALOGUE: Final[Mapping[str, Fault]] = MappingProxyType(
    {
        # connection
        "close": Fault(delivery="close"),
        "reset": Fault(delivery="reset"),
        "hang": Fault(delivery="hang"),
        "drip": Fault(delivery="drip"),
        "truncated": Fault(delivery="truncate"),
        "endless": Fault(delivery="endless"),
        # status
        "500": status(500),
        "502-html": body(_PAGE, code=502, content_type="text/html"),
        "503": status(503),
        "503-retry-after": status(503, retry_after="60"),
        "408": status(408),
        "404": status(404, error="Realm does not exist"),
        "405": status(405, error="HTTP 405 Method Not Allowed"),
        "410": status(410),
        "403": status(403),
        "429": status(429),
        "429-retry-after": status(429, retry_after="60"),
        "429-zero": status(429, retry_after="0"),
        "429-negative": status(429, retry_after="-1"),
        "429-huge": status(429, retry_after="1000000000"),
        "429-garbage": status(429, retry_after="soon"),
        "429-past": status(429, retry_after="Sun, 06 Nov 1994 08:49:37 GMT"),
        "429-reset": status(429, reset="30"),
        # refusals
        "wrong-secret": status(401, error="unauthorized_client"),
        "invalid-client": status(401, error="invalid_client"),
        "account-disabled": status(401, error="invalid_request"),
        "401-empty": status(401),
        "invalid-scope": status(400, error="invalid_scope"),
        "grant-not-allowed": body(
            b'{"error":"unauthorized_client","error_description":"grant type not allowed"}', code=400
        ),
        # bodies
        "html": body(_PAGE, content_type="text/html"),
        "empty": body(b""),
        "error-in-200": body(b'{"error":"invalid_client"}'),
        "not-json": body(b'{"access_token":'),
        "not-an-object": body(b'["access_token"]'),
        "bom": body(b"\xef\xbb\xbf{}"),
        "not-utf8": body(b'{"access_token":"\xff\xfe"}'),
        "nested": body(b"[" * 200_000),
        "long-number": body(b'{"expires_in":' + b"9" * 5_000 + b"}"),
        "duplicate-member": Fault(members={"expires_in": '60,"expires_in":60'}),
        "oversize": body(b" " * OVERSIZE_BYTES),
        "gzip": Fault(compress=True),
        # access_token
        "token-line-break": members(access_token=r'"S3CR3T-a\r\nX: y"'),
        "token-nul": members(access_token=r'"S3CR3T-token\u0000"'),
        "token-surrogate": members(access_token=r'"S3CR3T-token\ud800"'),
        "token-empty": members(access_token='""'),
        "token-huge": members(access_token='"' + "S3CR3T-" * 3_000 + '"'),
        "token-number": members(access_token="12345678"),
        "token-missing": members(access_token=None),
        "same-token": Fault(same_token=True),
        # expires_in
        "expires-in-missing": members(expires_in=None),
        "expires-in-string": members(expires_in='"3600"'),
        "expires-in-float": members(expires_in="3600.0"),
        "expires-in-1": members(expires_in="1"),
        "expires-in-zero": members(expires_in="0"),
        "expires-in-negative": members(expires_in="-5"),
        "expires-in-true": members(expires_in="true"),
        "expires-in-nan": members(expires_in="NaN"),
        "expires-in-infinite": members(expires_in="1e400"),
        "expires-in-underscore": members(expires_in='"1_000"'),
        "expires-in-arabic": members(expires_in='"\u0661\u0662\u0660"'),
        # token_type and scope
        "token-type-dpop": members(token_type='"DPoP"'),
        "token-type-mac": members(token_type='"mac"'),
        "token-type-lower": members(token_type='"bearer"'),
        "token-type-missing": members(token_type=None),
        "scope-less": members(scope='""'),
        "refresh-token": members(refresh_token='"S3CR3T-refresh-token"'),
        # metadata
        "issuer-mismatch": issuer("https://issuer.invalid/auth/realms/other"),
        "foreign-token-endpoint": token_endpoint("https://attacker.invalid/token"),
    }
)
"""Every fault that needs no argument, and the gzip bomb, which is built when first asked for."""


def named(name: str) -> Fault:
    """A fault of the catalogue; KeyError for another name."""
    return bomb() if name == "gzip-bomb" else CATALOGUE[name]
