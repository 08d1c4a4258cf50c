"""`TokenClient`: read access tokens from a running token-broker.

Owns: the client that programs hold, and the token as they get it. Refuses to know: how the broker came by the
token.
"""

import json
from time import time

from broker.client.errors import UnexpectedAnswer
from broker.client.fetch import fetch
from broker.client.wire import socket_path


class Token:
    """An access token and what the broker tells about it; times are Unix seconds. Its repr hides it."""

    __slots__ = (
        "access_token",
        "expires_at",
        "fingerprint",
        "issued_at",
        "name",
        "revision",
        "scope",
        "token_type",
    )

    def __init__(
        self,
        *,
        name: str,
        access_token: str,
        token_type: str,
        issued_at: int,
        expires_at: int,
        scope: str | None,
        revision: int,
        fingerprint: str,
    ) -> None:
        self.name = name
        self.access_token = access_token
        self.token_type = token_type
        self.issued_at = issued_at
        self.expires_at = expires_at
        self.scope = scope
        self.revision = revision
        self.fingerprint = fingerprint

    @property
    def expires_in(self) -> float:
        """Seconds of validity left by this host's clock; negative once expired."""
        return self.expires_at - time()

    def __repr__(self) -> str:
        return f"Token(name={self.name!r}, revision={self.revision}, expires_at={self.expires_at})"


class TokenClient:
    """Reads tokens over the broker's socket; holds no connection, may be shared between threads."""

    def __init__(self, socket: str | None = None) -> None:
        """`socket` is the path; default: `$TOKEN_BROKER_SOCKET`, else /run/token-broker/token-broker.sock."""
        self._socket_path = socket_path(socket)

    def get(self, name: str, *, min_valid: float = 0.0, wait: float = 0.0) -> Token:
        """The token `name`, valid for at least `min_valid` seconds; waits for one at most `wait` seconds.

        Raises TokenClientError: AccessDenied, TokenUnavailable, TryAgainLater, BrokerUnreachable,
        RequestInvalid or UnexpectedAnswer.
        """
        body = fetch(
            self._socket_path,
            name,
            accept="application/json",
            min_valid_seconds=min_valid,
            wait_seconds=wait,
        )
        return _parse(body)


def _parse(body: bytes) -> Token:
    try:
        answer = json.loads(body)
        scope = answer["scope"]
        return Token(
            name=str(answer["name"]),
            access_token=str(answer["access_token"]),
            token_type=str(answer["token_type"]),
            issued_at=int(answer["issued_at"]),
            expires_at=int(answer["expires_at"]),
            scope=None if scope is None else str(scope),
            revision=int(answer["revision"]),
            fingerprint=str(answer["fingerprint"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UnexpectedAnswer("the broker's answer does not hold a token", code="protocol") from None
