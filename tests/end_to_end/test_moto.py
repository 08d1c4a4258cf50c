"""The main job with a JSON secret in AWS Secrets Manager, as far as moto is it."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.contract.fault_server import Reply, running_fault_server
from tests.daemon.running import END_SECONDS, Daemon
from tests.end_to_end.poison import poison
from tests.end_to_end.readers import published, served
from tests.end_to_end.tables import development_server, managed_token, secrets_manager_backend
from tests.servers.moto import Moto
from tests.waiting import eventually


def document(secret: str) -> str:
    """The JSON that the customer stores."""
    return json.dumps({"client_id": "deploy", "client_secret": secret})


def tables(moto: Moto, server: DevelopmentAuthorizationServer, path: str) -> str:
    """A daemon's configuration for the secret at `path`."""
    token = managed_token(path, backend="aws")
    return secrets_manager_backend(moto) + development_server(server) + token


def test_rotation_heals_when_the_new_value_is_put(
    tmp_path: Path, moto: Moto, server: DevelopmentAuthorizationServer
) -> None:
    """Mint, publish, one failed login, PutSecretValue, mint: versions are AWS's own ids; a clean end."""
    operator = moto.client("secretsmanager")
    first = operator.create_secret(
        Name="rotated/deploy", SecretString=document(server.register("deploy").reveal())
    )
    with Daemon(tmp_path, tables(moto, server, "rotated/deploy"), extra=moto.environment) as daemon:
        daemon.wait_for(state="fresh", condition="ok", secret_version=first["VersionId"])
        old = served(daemon)
        assert server.introspect(published(daemon, old))["active"] is True
        secret = server.rotate("deploy")
        assert 202 == daemon.ask("/v1/tokens/deploy/renew", "POST")[0]
        daemon.wait_for(condition="awaiting_secret", state="stale")
        assert old == served(daemon) == published(daemon, old)
        second = operator.put_secret_value(SecretId="rotated/deploy", SecretString=document(secret.reveal()))
        daemon.wait_for(state="fresh", condition="ok", revision=2, secret_version=second["VersionId"])
        assert server.introspect(published(daemon, served(daemon)))["active"] is True
        assert 1.0 == daemon.metric("secret_version_info", token="deploy", version=second["VersionId"])
        assert None is daemon.metric("secret_fetches_total", backend="aws", outcome="failure")
        status, seconds = daemon.stop(signal.SIGTERM)
    assert 0 == status
    assert seconds < END_SECONDS
    assert [200, 401, 200] == [entry.status for entry in server.ledger.entries("token")]


def test_poisoned_environment_counts_for_credentials_only(
    tmp_path: Path, moto: Moto, server: DevelopmentAuthorizationServer
) -> None:
    """R-005, R-060, R-112: endpoint, region, trust, profile and proxies of the environment have no effect."""
    secret = document(server.register("deploy").reveal())
    moto.client("secretsmanager").create_secret(Name="poison/deploy", SecretString=secret)
    with running_fault_server(lambda _: Reply(500)) as poisoned:
        environment = {**poison(tmp_path / "home", poisoned), **moto.environment}
        with Daemon(tmp_path, tables(moto, server, "poison/deploy"), extra=environment) as daemon:
            daemon.wait_for(state="fresh", condition="ok")
            assert published(daemon, served(daemon))
            fetches = daemon.metric("secret_fetches_total", backend="aws", outcome="success") or 0.0
            eventually(
                lambda: (
                    (daemon.metric("secret_fetches_total", backend="aws", outcome="success") or 0.0) > fetches
                ),
                what="a look at the version",
            )
            assert None is daemon.metric("secret_fetches_total", backend="aws", outcome="failure")
        assert (0, []) == (poisoned.connections, poisoned.ledger)


def test_what_is_missing_in_the_store_is_named_and_used_once_it_is_there(
    tmp_path: Path, moto: Moto, server: DevelopmentAuthorizationServer
) -> None:
    """R-084: a name that does not exist and a member that is not in the JSON; both heal when they are stored."""
    operator = moto.client("secretsmanager")
    operator.create_secret(Name="late/partial", SecretString=json.dumps({"client_id": "partial"}))
    both = tables(moto, server, "late/deploy") + managed_token("late/partial", name="partial", backend="aws")
    with Daemon(tmp_path, both, extra=moto.environment) as daemon:
        absent = daemon.wait_for(condition="secret_missing", state="absent")
        assert "secret backend aws: late/deploy: no such secret" in absent["reason"]
        partial = daemon.wait_for(name="partial", condition="secret_missing", state="absent")
        assert "the secret at aws:late/partial has no text field 'client_secret'" == partial["reason"]
        assert 0 == server.ledger.count("token")
        value = document(server.register("deploy").reveal())
        operator.create_secret(Name="late/deploy", SecretString=value)
        operator.put_secret_value(SecretId="late/partial", SecretString=value)
        daemon.wait_for(condition="ok", state="fresh")
        daemon.wait_for(name="partial", condition="ok", state="fresh")
    assert [200, 200] == [entry.status for entry in server.ledger.entries("token")]
