"""An access token as programs get it.

Owns: its members, and reading them from an answer. Refuses to know: how the broker came by the token, and who
asked.
"""

import json
from time import time

from broker.client.errors import UnexpectedAnswer


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
    def authorization(self) -> str:
        """The value of an Authorization header (RFC 6750 2.1)."""
        return f"Bearer {self.access_token}"

    @property
    def expires_in(self) -> float:
        """Seconds of validity left by this host's clock; negative once expired."""
        return self.expires_at - time()

    def __repr__(self) -> str:
        return f"Token(name={self.name!r}, revision={self.revision}, expires_at={self.expires_at})"


def parse(body: bytes) -> Token:
    """The token of an answer. Raises UnexpectedAnswer."""
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
