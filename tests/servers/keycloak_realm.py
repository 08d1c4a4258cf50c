"""The realm that Keycloak is seeded with: tokens of twelve hours, as the customer has them, and one API.

Owns the names that both the seed and the running server need. Clients are made by the tests, each its own.
"""

from __future__ import annotations

from typing import Any, Final

REALM: Final = "odc"
TOKEN_LIFESPAN_SECONDS: Final = 43_200

# Keycloak calls a token active only to a client in its audience, so our tokens are meant for this one.
RESOURCE_SERVER_ID: Final = "resource-server"
RESOURCE_SERVER_SECRET: Final = "S3CR3T-resource-server"

REPRESENTATION: Final[dict[str, Any]] = {
    "realm": REALM,
    "enabled": True,
    "sslRequired": "external",
    "accessTokenLifespan": TOKEN_LIFESPAN_SECONDS,
    # A token never outlives the longest session, whose default is ten hours.
    "ssoSessionIdleTimeout": 2 * TOKEN_LIFESPAN_SECONDS,
    "ssoSessionMaxLifespan": 2 * TOKEN_LIFESPAN_SECONDS,
    "clients": [
        {
            "clientId": RESOURCE_SERVER_ID,
            "secret": RESOURCE_SERVER_SECRET,
            "protocol": "openid-connect",
            "enabled": True,
            "publicClient": False,
            "clientAuthenticatorType": "client-secret",
            "standardFlowEnabled": False,
        }
    ],
}
