"""The customer's case from end to end: a secret in OpenBao or AWS, a token of Keycloak, the daemon between them."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from tests.contract.fault_server import Reply, running_fault_server
from tests.daemon.running import END_SECONDS, Daemon, run_verb
from tests.end_to_end.poison import poison
from tests.end_to_end.readers import published, scrape, served
from tests.end_to_end.tables import (
    keycloak_server,
    kv2,
    managed_token,
    marked,
    new_role,
    secrets_manager_backend,
    vault_backend,
)
from tests.servers.keycloak import Keycloak, KeycloakClient
from tests.servers.keycloak_realm import TOKEN_LIFESPAN_SECONDS
from tests.servers.moto import Moto
from tests.servers.openbao import OpenBao
from tests.waiting import eventually

pytestmark = pytest.mark.keycloak


def fields(client: KeycloakClient) -> dict[str, str]:
    """What the customer stores of a client."""
    return {"client_id": client.client_id, "client_secret": client.secret}


def test_main_job(tmp_path: Path, openbao_tls: OpenBao, keycloak: Keycloak) -> None:
    """Mint, publish, rotate at Keycloak, store in OpenBao seconds later, recover, measure, stop."""
    client = keycloak.create_client()
    openbao_tls.put_secret("odc/deploy", fields(client))
    new_role(openbao_tls, tmp_path, kv2("odc/deploy"))
    tables = vault_backend(openbao_tls, tmp_path) + keycloak_server(keycloak) + managed_token("odc/deploy")
    with Daemon(tmp_path, tables) as daemon:
        record = daemon.wait_for(state="fresh", condition="ok", revision=1, secret_version="1")
        old = served(daemon)
        claims = keycloak.introspect(published(daemon, old))
        assert (True, keycloak.issuer, client.client_id) == (
            claims["active"],
            claims["iss"],
            claims["client_id"],
        )
        assert (
            TOKEN_LIFESPAN_SECONDS - 8 <= record["expires_at"] - record["issued_at"] <= TOKEN_LIFESPAN_SECONDS
        )
        assert record["expires_at"] <= claims["exp"]

        client.regenerate_secret()
        assert 202 == daemon.ask("/v1/tokens/deploy/renew", "POST")[0]
        record = daemon.wait_for(condition="awaiting_secret", state="stale", last_error="credential")
        assert "401 unauthorized_client" in record["reason"]
        polls = len(openbao_tls.requests("secret/metadata/odc/deploy"))
        eventually(
            lambda: len(openbao_tls.requests("secret/metadata/odc/deploy")) >= polls + 3,
            what="three more looks at the version",
        )
        assert old == served(daemon) == published(daemon, old)
        assert keycloak.introspect(old)["active"] is True
        assert 200 == daemon.ops("/readyz")[0]

        openbao_tls.put_secret("odc/deploy", fields(client))
        record = daemon.wait_for(condition="ok", state="fresh", revision=2, secret_version="2")
        new = served(daemon)
        assert keycloak.introspect(published(daemon, new))["active"] is True
        assert_measured(daemon, record, failed_logins=1.0)
        status, seconds = daemon.stop(signal.SIGTERM)
    assert 0 == status
    assert seconds < END_SECONDS
    assert published(daemon, new)


def assert_measured(daemon: Daemon, record: dict[str, int], *, failed_logins: float) -> None:
    """The scrape says what happened to `deploy` in its two revisions."""
    at = {"token": "deploy", "authorization_server": "odc"}
    expected: dict[tuple[str, frozenset[tuple[str, str]]], float] = {
        (name, frozenset(labels.items())): value
        for name, labels, value in (
            ("mints_total", {**at, "outcome": "success", "error": ""}, 2.0),
            ("mints_total", {**at, "outcome": "failure", "error": "credential"}, failed_logins),
            ("mint_duration_seconds_count", {"authorization_server": "odc"}, 2.0 + failed_logins),
            ("token_revision", {"token": "deploy"}, 2.0),
            ("token_consecutive_failures", {"token": "deploy"}, 0.0),
            ("token_state", {"token": "deploy", "state": "fresh"}, 1.0),
            ("token_state", {"token": "deploy", "state": "stale"}, 0.0),
            ("secret_version_info", {"token": "deploy", "version": "2"}, 1.0),
            ("backend_logins_total", {"backend": "corp", "outcome": "success"}, 1.0),
            ("backend_authenticated", {"backend": "corp"}, 1.0),
            ("publishes_total", {"token": "deploy", "sink": "file", "outcome": "success"}, 2.0),
            ("stuck_workers", {}, 0.0),
        )
    }

    def measured() -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """A publication is counted a moment after its file is there."""
        samples = scrape(daemon)
        return samples if expected == {key: samples.get(key) for key in expected} else {}

    samples = eventually(measured, what="what was counted is what happened")
    times = ("token_issued", "token_expires", "token_next_renewal")
    stamps = {name: samples[f"{name}_timestamp_seconds", frozenset({("token", "deploy")})] for name in times}
    assert record["issued_at"] == int(stamps["token_issued"])
    assert record["expires_at"] == int(stamps["token_expires"])
    assert stamps["token_issued"] <= time.time() < stamps["token_next_renewal"] < stamps["token_expires"]


def test_each_refusal_is_told_with_its_fix(tmp_path: Path, openbao_tls: OpenBao, keycloak: Keycloak) -> None:
    """R-013, R-015, R-044, R-050: secret, client, scope, issuer, host and trust; the neighbour is not disturbed."""
    client = keycloak.create_client()
    openbao_tls.put_secret("faults/right", fields(client))
    openbao_tls.put_secret("faults/wrong", {**fields(client), "client_secret": marked("wrong")})
    openbao_tls.put_secret("faults/nobody", {"client_id": "nobody", "client_secret": marked("nobody")})
    new_role(openbao_tls, tmp_path, kv2("faults/right", "faults/wrong", "faults/nobody"))
    other_issuer = keycloak.issuer.replace("localhost", "127.0.0.1")
    tables = (
        vault_backend(openbao_tls, tmp_path)
        + keycloak_server(keycloak)
        + keycloak_server(keycloak, name="issuer", issuer=f"{other_issuer}/")
        + keycloak_server(keycloak, name="host", hosts=["127.0.0.1"])
        + keycloak_server(keycloak, name="trust", trust=False)
        + managed_token("faults/right")
        + managed_token("faults/wrong", name="secret")
        + managed_token("faults/nobody", name="client")
        + managed_token("faults/right", name="scope", keys='scope = ["nosuch"]')
        + managed_token("faults/right", name="issuer", server="issuer")
        + managed_token("faults/right", name="host", server="host")
        + managed_token("faults/right", name="trust", server="trust")
    )
    awaiting, wrong, unreachable = "awaiting_secret", "misconfigured", "unreachable"
    expected = {
        "secret": (awaiting, "401 unauthorized_client: the client secret is wrong", 75),
        "client": (awaiting, "401 invalid_client: the client is unknown or disabled", 75),
        "scope": (wrong, "400 invalid_scope: a scope is unknown there or not allowed for this client", 69),
        "issuer": (wrong, f"states the issuer {keycloak.issuer} and not the pinned issuer", 69),
        "host": (wrong, "is on the host localhost, which is not in token_endpoint_hosts", 69),
        "trust": (unreachable, "TLS: certificate verify failed", 75),
    }
    with Daemon(tmp_path, tables) as daemon:
        daemon.wait_for(state="fresh", condition="ok")
        assert keycloak.introspect(served(daemon))["active"] is True
        for name, (condition, words, status) in expected.items():
            record = daemon.wait_for(name=name, condition=condition, state="absent")
            assert words in record["reason"]
            refused = run_verb("get", name, "--socket", daemon.socket)
            assert (status, "") == (refused.returncode, refused.stdout)
            assert words in refused.stderr
        assert 503 == daemon.ops("/readyz")[0]
        assert 200 == daemon.ops("/readyz/deploy")[0]


def test_main_job_with_a_secret_in_aws(tmp_path: Path, moto: Moto, keycloak: Keycloak) -> None:
    """R-005: mint, rotate, PutSecretValue, recover, whatever proxies and trust the environment names."""
    client = keycloak.create_client()
    operator = moto.client("secretsmanager")
    operator.create_secret(Name="odc/deploy", SecretString=json.dumps(fields(client)))
    tables = (
        secrets_manager_backend(moto) + keycloak_server(keycloak) + managed_token("odc/deploy", backend="aws")
    )
    with running_fault_server(lambda _: Reply(500)) as poisoned:
        environment = {**poison(tmp_path / "home", poisoned), **moto.environment}
        with Daemon(tmp_path, tables, extra=environment) as daemon:
            daemon.wait_for(state="fresh", condition="ok", revision=1)
            old = published(daemon, served(daemon))
            client.regenerate_secret()
            assert 202 == daemon.ask("/v1/tokens/deploy/renew", "POST")[0]
            daemon.wait_for(condition="awaiting_secret", state="stale")
            assert old == served(daemon)
            operator.put_secret_value(SecretId="odc/deploy", SecretString=json.dumps(fields(client)))
            daemon.wait_for(condition="ok", state="fresh", revision=2)
            tokens = (old, published(daemon, served(daemon)))
            assert [True, True] == [keycloak.introspect(token)["active"] for token in tokens]
            assert 0 == daemon.stop(signal.SIGTERM)[0]
        assert (0, []) == (poisoned.connections, poisoned.ledger)


@pytest.mark.slow
def test_suspended_client_keeps_its_token_and_heals_when_resumed(
    tmp_path: Path, openbao_tls: OpenBao, keycloak: Keycloak
) -> None:
    """R-079, F-19: one refused login, nothing withdrawn; meanwhile a neighbour's tokens of 20 s are renewed in time."""
    client, neighbour = keycloak.create_client(), keycloak.create_client(lifespan_seconds=20)
    openbao_tls.put_secret("suspended/deploy", fields(client))
    openbao_tls.put_secret("suspended/short", fields(neighbour))
    new_role(openbao_tls, tmp_path, kv2("suspended/deploy", "suspended/short"))
    tables = (
        vault_backend(openbao_tls, tmp_path)
        + keycloak_server(keycloak)
        + managed_token("suspended/deploy")
        + managed_token("suspended/short", name="short")
    )
    with Daemon(tmp_path, tables) as daemon:
        daemon.wait_for(state="fresh", condition="ok")
        daemon.wait_for(name="short", state="fresh", condition="ok", revision=1)
        token, first = served(daemon), served(daemon, name="short")

        client.disable()
        assert 202 == daemon.ask("/v1/tokens/deploy/renew", "POST")[0]
        record = daemon.wait_for(condition="awaiting_secret", state="stale")
        assert "401 invalid_client: the client is unknown or disabled" in record["reason"]
        assert token == served(daemon) == published(daemon, token)
        assert keycloak.introspect(token)["active"] is False
        client.enable()
        assert keycloak.introspect(token)["active"] is True

        daemon.wait_for(name="short", state="fresh", condition="ok", revision=2)
        second = published(daemon, served(daemon, name="short"), name="short")
        assert first != second
        assert [True, True] == [keycloak.introspect(each)["active"] for each in (first, second)]

        daemon.wait_for(condition="ok", state="fresh", revision=2, timeout=120)
        assert keycloak.introspect(published(daemon, served(daemon)))["active"] is True
        assert 1.0 == daemon.metric("mints_total", token="deploy", outcome="failure", error="credential")
        assert None is daemon.metric("mints_total", token="short", outcome="failure")
