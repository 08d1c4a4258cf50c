"""The customer's drills: what happens to programs while secrets are rotated, clients suspended, Keycloak away."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.daemon.running import Daemon
from tests.end_to_end.readers import published, served
from tests.end_to_end.relay import Relay
from tests.end_to_end.tables import keycloak_server, kv2, managed_token, new_role, vault_backend
from tests.keycloak.resource_server import Readers, introspecting, verifying
from tests.servers.keycloak import Keycloak, KeycloakClient
from tests.servers.openbao import OpenBao
from tests.waiting import eventually

pytestmark = [pytest.mark.keycloak, pytest.mark.slow]


def fields(client: KeycloakClient) -> dict[str, str]:
    """What the customer stores of a client."""
    return {"client_id": client.client_id, "client_secret": client.secret}


def prepared(directory: Path, openbao: OpenBao, client: KeycloakClient, path: str, server: str) -> Daemon:
    """A daemon with the customer's own pace of polling."""
    openbao.put_secret(path, fields(client))
    new_role(openbao, directory, kv2(path))
    token = managed_token(path).replace('poll_secret_version = "1s"', 'poll_secret_version = "60s"')
    return Daemon(directory, vault_backend(openbao, directory) + server + token)


def failed_logins(daemon: Daemon) -> float:
    """How often Keycloak refused our credentials."""
    return daemon.metric("mints_total", outcome="failure", error="credential") or 0.0


def elapsed(seconds: float) -> None:
    """Wait for real time to pass: the drill's own pace, which no condition can tell."""
    end = time.monotonic() + seconds
    eventually(lambda: time.monotonic() >= end, timeout=seconds + 5, what="the drill goes on")


def test_secret_is_regenerated_and_stored_a_minute_later(
    tmp_path: Path, openbao_tls: OpenBao, keycloak: Keycloak
) -> None:
    """F-16, R-075, R-076: 300-second tokens, 20 readers, no failed call, few logins, new token 35 s after the storing.

    The renewal that is near is asked for, instead of waiting for half of the life.
    """
    client = keycloak.create_client(lifespan_seconds=300)
    with prepared(tmp_path, openbao_tls, client, "drill/rotation", keycloak_server(keycloak)) as daemon:
        daemon.wait_for(state="fresh", revision=1)
        published(daemon, served(daemon))
        with Readers(daemon, introspecting(keycloak)) as readers:
            client.regenerate_secret()
            daemon.ask("/v1/tokens/deploy/renew", "POST")
            daemon.wait_for(condition="awaiting_secret", state="stale")
            elapsed(60)
            openbao_tls.put_secret("drill/rotation", fields(client))
            stored = time.monotonic()
            daemon.wait_for(condition="ok", state="fresh", revision=2, timeout=60)
            took = time.monotonic() - stored
            elapsed(3)
        assert [] == readers.failures
        assert readers.calls >= 1000
        assert failed_logins(daemon) <= 5
        assert took <= 35


def test_suspended_client_keeps_its_token_and_gets_it_back(
    tmp_path: Path, openbao_tls: OpenBao, keycloak: Keycloak
) -> None:
    """F-19, R-079: file and socket keep the token; resumed, the same token is accepted within a second."""
    client = keycloak.create_client(lifespan_seconds=300)
    with prepared(tmp_path, openbao_tls, client, "drill/suspension", keycloak_server(keycloak)) as daemon:
        daemon.wait_for(state="fresh", revision=1)
        token = published(daemon, served(daemon))
        with Readers(daemon, introspecting(keycloak)) as readers:
            elapsed(2)
            assert [] == readers.failed_since()
            client.disable()
            daemon.ask("/v1/tokens/deploy/renew", "POST")
            daemon.wait_for(condition="awaiting_secret", state="stale")
            elapsed(20)
            assert token == served(daemon) == published(daemon, token)
            client.enable()
            eventually(
                lambda: keycloak.introspect(token)["active"], timeout=1.0, what="the same token is accepted"
            )
            elapsed(1.5)
            during = readers.failed_since()
            assert during
            elapsed(3)
            assert [] == readers.failed_since()
            assert token == served(daemon)
        assert failed_logins(daemon) <= 4


def test_keycloak_is_away_for_two_fifths_of_a_life(
    tmp_path: Path, openbao_tls: OpenBao, keycloak: Keycloak
) -> None:
    """F-01, R-065: 120-second tokens, 48 seconds without Keycloak around the renewal, no failed call."""
    client = keycloak.create_client(lifespan_seconds=120)
    with Relay(urlsplit(keycloak.issuer).port or 0) as relay:
        relay.mend()
        endpoint = urlsplit(keycloak.token_endpoint)
        server = f"""
[authorization_servers.odc]
profile = "outsystems-odc"
token_endpoint = "https://localhost:{relay.port}{endpoint.path}"
ca_file = "{keycloak.ca_file}"
"""
        with prepared(tmp_path, openbao_tls, client, "drill/outage", server) as daemon:
            daemon.wait_for(state="fresh", revision=1)
            published(daemon, served(daemon))
            with Readers(daemon, verifying(keycloak)) as readers:
                elapsed(42)
                relay.cut()
                elapsed(48)
                relay.mend()
                daemon.wait_for(state="fresh", condition="ok", timeout=30)
                elapsed(30)
            assert [] == readers.failures
            assert readers.calls >= 1000
