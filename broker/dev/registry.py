"""Clients and tokens of the development authorization server.

Owns: what OutSystems ODC and Keycloak do with one secret per client: a rotation kills the old secret at
once and no token; a suspended client gets nothing and its tokens are inactive until it is resumed (RFC 7662
`active`). Refuses to know: HTTP.
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from broker.model import Secret

TokenFormat = Literal["opaque", "jwt"]
Refusal = Literal["unknown", "suspended", "wrong_secret"]

MOST_TOKENS: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredClient:
    """A client; `scope` is what it may ask for, None meaning anything."""

    client_id: str
    secret: Secret
    scope: tuple[str, ...] | None
    lifetime_seconds: int
    suspended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    """A token; times are Unix seconds."""

    value: Secret
    client_id: str
    scope: tuple[str, ...]
    issued_at: float
    expires_at: float


class Registry:
    """Thread-safe. `marker` starts every secret and token, so that tests can search logs for them."""

    def __init__(
        self,
        *,
        issuer: Callable[[], str],
        token_format: TokenFormat = "opaque",
        marker: str = "",
        now: Callable[[], float] = time.time,
    ) -> None:
        self._issuer = issuer
        self._format = token_format
        self._marker = marker
        self._now = now
        self._lock = threading.Lock()
        self._clients: dict[str, RegisteredClient] = {}
        self._tokens: dict[str, IssuedToken] = {}
        self._latest: dict[str, IssuedToken] = {}

    def register(
        self, client_id: str, *, secret: str | None, scope: tuple[str, ...] | None, lifetime_seconds: int
    ) -> Secret:
        """Add or replace a client, with the given secret or a new one."""
        client = RegisteredClient(
            client_id=client_id,
            secret=Secret(secret) if secret is not None else self._fresh(),
            scope=scope,
            lifetime_seconds=lifetime_seconds,
        )
        with self._lock:
            self._clients[client_id] = client
        return client.secret

    def rotate(self, client_id: str, *, secret: str | None) -> Secret:
        """Replace the secret; the old one is dead when this returns. KeyError for an unknown client."""
        successor = Secret(secret) if secret is not None else self._fresh()
        self._change(client_id, secret=successor)
        return successor

    def suspend(self, client_id: str, *, suspended: bool) -> None:
        """Suspend or resume. KeyError for an unknown client."""
        self._change(client_id, suspended=suspended)

    def set_lifetime(self, client_id: str, lifetime_seconds: int) -> None:
        """For tokens issued from now on. KeyError for an unknown client."""
        self._change(client_id, lifetime_seconds=lifetime_seconds)

    def authenticate(self, client_id: str, secret: str) -> RegisteredClient | Refusal:
        """The client, or why not."""
        with self._lock:
            client = self._clients.get(client_id)
        if client is None:
            return "unknown"
        if client.suspended:
            return "suspended"
        return client if client.secret == Secret(secret) else "wrong_secret"

    def issue(self, client: RegisteredClient, scope: tuple[str, ...]) -> IssuedToken:
        """A new token."""
        issued_at = self._now()
        with self._lock:
            token = IssuedToken(
                value=Secret(self._render(client, scope, issued_at)),
                client_id=client.client_id,
                scope=scope,
                issued_at=issued_at,
                expires_at=issued_at + client.lifetime_seconds,
            )
            self._tokens[token.value.reveal()] = token
            self._latest[client.client_id] = token
            while len(self._tokens) > MOST_TOKENS:
                del self._tokens[next(iter(self._tokens))]
        return token

    def latest(self, client_id: str) -> IssuedToken | None:
        """The last token of a client, while it lives."""
        with self._lock:
            token = self._latest.get(client_id)
        return token if token is not None and token.expires_at > self._now() else None

    def remaining_seconds(self, token: IssuedToken) -> int:
        """Whole seconds of life left."""
        return int(token.expires_at - self._now())

    def introspect(self, token: str) -> dict[str, Any]:
        """RFC 7662 2.2: inactive when unknown, expired, or its client is suspended."""
        with self._lock:
            issued = self._tokens.get(token)
            client = self._clients.get(issued.client_id) if issued is not None else None
        if issued is None or client is None or client.suspended or issued.expires_at <= self._now():
            return {"active": False}
        return {
            "active": True,
            "client_id": issued.client_id,
            "scope": " ".join(issued.scope),
            "token_type": "Bearer",
            "iat": int(issued.issued_at),
            "exp": int(issued.expires_at),
        }

    def _change(self, client_id: str, **changes: Any) -> None:
        with self._lock:
            self._clients[client_id] = replace(self._clients[client_id], **changes)

    def _fresh(self) -> Secret:
        return Secret(self._marker + secrets.token_urlsafe(32))

    def _render(self, client: RegisteredClient, scope: tuple[str, ...], issued_at: float) -> str:
        if self._format == "opaque":
            return self._marker + secrets.token_urlsafe(32)
        claims = {
            "iss": self._issuer(),
            "sub": client.client_id,
            "azp": client.client_id,
            "scope": " ".join(scope),
            "iat": int(issued_at),
            "exp": int(issued_at) + client.lifetime_seconds,
            "jti": secrets.token_hex(16),
        }
        # Looks like a JWT and is none: nobody but this server may judge it, and the signature is noise.
        signature = self._marker + secrets.token_urlsafe(32)
        return f"{_part({'alg': 'RS256', 'typ': 'JWT', 'kid': 'dev'})}.{_part(claims)}.{signature}"


def _part(members: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(members).encode()).rstrip(b"=").decode()
