"""JWTs as an identity provider or a cluster signs them, for servers that check the signature.

Owns: a key pair and compact JWS with RS256. Refuses to know: who checks them.
"""

from __future__ import annotations

import time
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey


class Signer:
    """An issuer with a key of its own."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self._key = RSAKey.generate_key(2048, private=True)

    @property
    def public_key(self) -> str:
        """PEM."""
        return self._key.as_pem(private=False).decode()

    def sign(self, subject: str, audience: str, *, life_seconds: int = 600, **claims: Any) -> str:
        """A JWT that is valid from now on; one that has expired for a negative life."""
        now = int(time.time())
        standard = {"iss": self.issuer, "sub": subject, "aud": [audience], "iat": now - 5, "nbf": now - 5}
        payload = {**standard, "exp": now + life_seconds, **claims}
        return jwt.encode({"alg": "RS256"}, payload, self._key)
