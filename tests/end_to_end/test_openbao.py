"""The main job with OpenBao as it is in production: AppRole and KV, over TLS, rotated, renewed, replaced."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.contract.fault_server import Reply, running_fault_server
from tests.daemon.running import END_SECONDS, Daemon
from tests.end_to_end.poison import poison
from tests.end_to_end.readers import published
from tests.end_to_end.tables import (
    development_server,
    kv2,
    managed_token,
    marked,
    new_role,
    private_file,
    put_client,
    vault_backend,
)
from tests.servers.openbao import OpenBao
from tests.waiting import eventually


def test_token_comes_from_a_secret_behind_an_approle(
    tmp_path: Path, openbao_tls: OpenBao, server: DevelopmentAuthorizationServer
) -> None:
    """Login with role-id and secret-id from files, over TLS; one mint; file, socket and metrics agree; a clean end."""
    put_client(openbao_tls, server, "main/deploy")
    new_role(openbao_tls, tmp_path, kv2("main/deploy"))
    tables = vault_backend(openbao_tls, tmp_path) + development_server(server) + managed_token("main/deploy")
    with Daemon(tmp_path, tables) as daemon:
        record = daemon.wait_for(state="fresh", condition="ok", secret_version="1")
        token = daemon.ask("/v1/tokens/deploy")[1]["access_token"]
        assert server.introspect(published(daemon, token))["active"] is True
        assert 1 == record["revision"] == server.ledger.count("token")
        assert 1.0 == daemon.metric("backend_logins_total", backend="corp", outcome="success")
        assert 1.0 == daemon.metric("backend_authenticated", backend="corp")
        assert 1.0 == daemon.metric("secret_version_info", token="deploy", version="1")
        assert None is daemon.metric("secret_fetches_total", backend="corp", outcome="failure")
        status, seconds = daemon.stop(signal.SIGTERM)
    assert 0 == status
    assert seconds < END_SECONDS
    assert published(daemon, token)
    assert not daemon.socket.exists()


@pytest.mark.slow
def test_poisoned_environment_changes_nothing_from_mint_to_renewal(
    tmp_path: Path, openbao_tls: OpenBao, server: DevelopmentAuthorizationServer
) -> None:
    """R-004, R-005: tokens, addresses, proxies, trust and netrc of the environment have no effect on either side."""
    put_client(openbao_tls, server, "poison/deploy", lifetime_seconds=20)
    new_role(openbao_tls, tmp_path, kv2("poison/deploy"))
    tables = (
        vault_backend(openbao_tls, tmp_path) + development_server(server) + managed_token("poison/deploy")
    )
    with running_fault_server(lambda _: Reply(500)) as poisoned:
        environment = poison(tmp_path / "home", poisoned)
        with Daemon(tmp_path, tables, extra=environment) as daemon:
            daemon.wait_for(state="fresh", condition="ok", revision=1)
            first = daemon.ask("/v1/tokens/deploy")[1]
            daemon.wait_for(condition="ok", revision=2)
            second = daemon.ask("/v1/tokens/deploy")[1]
            assert first["issued_at"] < second["issued_at"] < first["expires_at"]
            assert published(daemon, second["access_token"])
            assert first["access_token"] != second["access_token"]
        assert (0, []) == (poisoned.connections, poisoned.ledger)
    assert {""} == {asked.error for asked in openbao_tls.requests("secret/data/poison/deploy")}
    for entry in server.ledger.entries("token"):
        assert "authorization" not in entry.headers


def test_rotation_at_the_server_first_heals_when_the_store_learns_of_it(
    tmp_path: Path, openbao: OpenBao, server: DevelopmentAuthorizationServer
) -> None:
    """R-075, R-076, F-16: one failed login, however long the store is behind; the old token is served meanwhile."""
    put_client(openbao, server, "rotated/deploy")
    new_role(openbao, tmp_path, kv2("rotated/deploy"))
    tables = vault_backend(openbao, tmp_path) + development_server(server) + managed_token("rotated/deploy")
    with Daemon(tmp_path, tables) as daemon:
        daemon.wait_for(state="fresh")
        old = daemon.ask("/v1/tokens/deploy")[1]["access_token"]
        secret = server.rotate("deploy")
        assert 202 == daemon.ask("/v1/tokens/deploy/renew", "POST")[0]
        record = daemon.wait_for(condition="awaiting_secret", state="stale", last_error="credential")
        assert "store the new one" in record["reason"]
        polls = len(openbao.requests("secret/metadata/rotated/deploy"))
        eventually(
            lambda: len(openbao.requests("secret/metadata/rotated/deploy")) >= polls + 3,
            what="three more looks at the version",
        )
        assert (200, old) == daemon.ask("/v1/tokens/deploy", accept="text/plain")
        assert server.introspect(published(daemon, old))["active"] is True
        openbao.put_secret("rotated/deploy", {"client_id": "deploy", "client_secret": secret.reveal()})
        daemon.wait_for(condition="ok", state="fresh", revision=2, secret_version="2")
        new = daemon.ask("/v1/tokens/deploy")[1]["access_token"]
        assert server.introspect(published(daemon, new))["active"] is True
        assert 1.0 == daemon.metric("mints_total", token="deploy", outcome="failure", error="credential")
    assert [200, 401, 200] == [entry.status for entry in server.ledger.entries("token")]


def test_new_secret_is_noticed_where_the_policy_hides_versions(
    tmp_path: Path, openbao: OpenBao, server: DevelopmentAuthorizationServer
) -> None:
    """With a policy for the value alone, as many have it, the value is looked at instead."""
    put_client(openbao, server, "hidden/deploy")
    new_role(openbao, tmp_path, ["secret/data/hidden/deploy"])
    tables = vault_backend(openbao, tmp_path) + development_server(server) + managed_token("hidden/deploy")
    with Daemon(tmp_path, tables) as daemon:
        daemon.wait_for(state="fresh", condition="ok")
        secret = server.rotate("deploy")
        openbao.put_secret("hidden/deploy", {"client_id": "deploy", "client_secret": secret.reveal()})
        daemon.wait_for(state="fresh", condition="ok", revision=2, secret_version="2")
    assert [200, 200] == [entry.status for entry in server.ledger.entries("token")]


def test_new_value_on_kv_version_one_is_noticed_without_versions(
    tmp_path: Path, openbao: OpenBao, server: DevelopmentAuthorizationServer
) -> None:
    """KV v1 has no versions: the value is compared, and a changed one is minted with at once."""
    secret = server.register("deploy")
    openbao.put_secret_v1("old/deploy", {"client_id": "deploy", "client_secret": secret.reveal()})
    new_role(openbao, tmp_path, ["kv1/old/deploy"])
    backend = vault_backend(openbao, tmp_path, keys='mount = "kv1"\nkv_version = 1')
    with Daemon(tmp_path, backend + development_server(server) + managed_token("old/deploy")) as daemon:
        assert None is daemon.wait_for(state="fresh", condition="ok")["secret_version"]
        secret = server.rotate("deploy")
        openbao.put_secret_v1("old/deploy", {"client_id": "deploy", "client_secret": secret.reveal()})
        daemon.wait_for(state="fresh", condition="ok", revision=2)
    assert [200, 200] == [entry.status for entry in server.ledger.entries("token")]


def test_vault_token_from_a_file_is_replaced_there(
    tmp_path: Path, openbao: OpenBao, server: DevelopmentAuthorizationServer
) -> None:
    """Method token_file: somebody else renews the Vault token, and the file is read again when it has changed."""
    put_client(openbao, server, "agent/deploy")
    policy = openbao.allow_reading("agent", *kv2("agent/deploy"))

    def hand_over() -> str:
        wish = {"id": marked("vault-token"), "policies": [policy], "no_parent": True}
        token: str = openbao.request("POST", "auth/token/create", wish).json["auth"]["client_token"]
        private_file(tmp_path / "vault-token", token)
        return token

    first = hand_over()
    backend = vault_backend(openbao, tmp_path, auth=f'method = "token_file", path = "{tmp_path}/vault-token"')
    with Daemon(tmp_path, backend + development_server(server) + managed_token("agent/deploy")) as daemon:
        daemon.wait_for(state="fresh", condition="ok")
        hand_over()
        openbao.revoke_token(first)
        assert 200 == daemon.ask("/v1/tokens/deploy/renew?wait=10s", "POST")[0]
        daemon.wait_for(state="fresh", condition="ok", revision=2)
        assert None is daemon.metric("backend_logins_total", outcome="failure")


def test_vault_token_revoked_under_the_broker_costs_one_login(
    tmp_path: Path, openbao: OpenBao, server: DevelopmentAuthorizationServer
) -> None:
    """R-089, F-23, R-102: it logs in again and goes on; at its end it revokes its token as configured."""
    put_client(openbao, server, "revoked/deploy")
    new_role(openbao, tmp_path, kv2("revoked/deploy"))
    backend = vault_backend(openbao, tmp_path, keys="revoke_on_exit = true")
    with Daemon(tmp_path, backend + development_server(server) + managed_token("revoked/deploy")) as daemon:
        daemon.wait_for(state="fresh", condition="ok")
        openbao.revoke_all_logins()
        assert 200 == daemon.ask("/v1/tokens/deploy/renew?wait=10s", "POST")[0]
        daemon.wait_for(state="fresh", condition="ok", revision=2)
        assert 2.0 == daemon.metric("backend_logins_total", backend="corp", outcome="success")
        revocations = len(openbao.requests("auth/token/revoke-self"))
        assert 0 == daemon.stop()[0]
    # A server that is slow to note it was not waited for.
    eventually(
        lambda: revocations + 1 == len(openbao.requests("auth/token/revoke-self")), what="the revocation"
    )
