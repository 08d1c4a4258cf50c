"""Which managed token a token was minted for.

Owns: the one canonical form of a managed token's identity and its hash. Two tables with the same hash ask the same
authorization server for the same thing as the same client; a token of one hash is never served under another. Refuses
to know: how it is minted (secrets, authentication methods, schedules may all change), configuration tables.
"""

from __future__ import annotations

import hashlib
import json

from broker.model import TokenRequest
from broker.options import SecretRef

_DOMAIN = "token-broker managed token 1"


def token_identity(
    *,
    token: str,
    authorization_server: str,
    issuer: str | None,
    token_endpoint: str | None,
    client_id: str | SecretRef,
    request: TokenRequest,
) -> str:
    """SHA-256 in hex. The order of scopes, resources and parameters does not matter, as it does not for the server."""
    client = (
        {"client_id": client_id}
        if isinstance(client_id, str)
        else {"backend": client_id.backend, "path": client_id.path, "field": client_id.field}
    )
    canonical = json.dumps(
        {
            "domain": _DOMAIN,
            "token": token,
            "authorization_server": authorization_server,
            "issuer": issuer,
            "token_endpoint": token_endpoint,
            "client": client,
            "scope": sorted(set(request.scope)),
            "resource": sorted(set(request.resource)),
            "audience": request.audience,
            "parameters": dict(request.parameters),
        },
        sort_keys=True,
        separators=(",", ":"),
    )
    return hashlib.sha256(canonical.encode()).hexdigest()
