"""Logins of a client, as Keycloak's own event log has them: a witness that shares nothing with the daemon.

Owns: the event log of the realm. Refuses to know: why a login was tried.
"""

from __future__ import annotations

from typing import Any

from tests.servers.keycloak import Keycloak
from tests.servers.keycloak_realm import REALM


def keep_events(keycloak: Keycloak) -> None:
    """Let the realm write down logins of clients from now on."""
    keycloak.operate(
        "PUT",
        f"/admin/realms/{REALM}/events/config",
        {"eventsEnabled": True, "enabledEventTypes": ["CLIENT_LOGIN", "CLIENT_LOGIN_ERROR"]},
    )


def failed_logins(keycloak: Keycloak, client_id: str) -> int:
    """How often the client was refused."""
    return _count(keycloak, client_id, "CLIENT_LOGIN_ERROR")


def successful_logins(keycloak: Keycloak, client_id: str) -> int:
    """How often the client got a token."""
    return _count(keycloak, client_id, "CLIENT_LOGIN")


def _count(keycloak: Keycloak, client_id: str, kind: str) -> int:
    query = f"type={kind}&client={client_id}&max=1000"
    events: list[dict[str, Any]] = keycloak.operate("GET", f"/admin/realms/{REALM}/events?{query}").json
    return len(events)
