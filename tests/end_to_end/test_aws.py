"""The daemon with AWS in the ways that moto cannot show: who asks, how often, and what a policy refuses."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from broker.testing.conditions import silent_port
from tests.contract.aws.imitation import ROLE
from tests.contract.aws.store import Store
from tests.contract.fault_server import FaultServer, Reply, running_fault_server
from tests.daemon.running import Daemon
from tests.end_to_end.tables import development_server, managed_token
from tests.faults.daemons import UNDISTURBED_SECONDS
from tests.servers.moto import REGION
from tests.waiting import eventually

TOKENS = 45
KEYS = {"AWS_ACCESS_KEY_ID": "ENVIRONMENT", "AWS_SECRET_ACCESS_KEY": "S3CR3T-environment"}


@pytest.fixture
def store() -> Store:
    """What AWS holds."""
    return Store()


@pytest.fixture
def aws(store: Store) -> Iterator[FaultServer]:
    """Where it answers."""
    with running_fault_server(store) as server:
        yield server


def tables(
    aws: FaultServer, store: Store, server: DevelopmentAuthorizationServer, *names: str, poll: str = "60s"
) -> str:
    """A daemon's configuration with one token, one client and one secret of each name."""
    for name in names:
        secret = server.register(name).reveal()
        store.secrets[name] = json.dumps({"client_id": name, "client_secret": secret})
    backend = f"""
[secret_backends.aws]
type = "aws-secrets-manager"
region = "{REGION}"
endpoint_url = "{aws.url}"
allow_insecure_loopback = true
role_arn = "{ROLE}"
"""
    tokens = "".join(
        managed_token(name, name=name, backend="aws").replace('"1s"', f'"{poll}"') for name in names
    )
    return backend + development_server(server) + tokens


def all_fresh(daemon: Daemon) -> bool:
    """Whether every token is there."""
    records = daemon.ask("/v1/status")[1]["tokens"]
    return {"fresh"} == {record["state"] for record in records}


def test_start_of_many_tokens_is_few_requests(
    tmp_path: Path, store: Store, aws: FaultServer, server: DevelopmentAuthorizationServer
) -> None:
    """R-107, R-108: one role for all, and twenty secrets a request."""
    names = [f"t{number}" for number in range(TOKENS)]
    with Daemon(tmp_path, tables(aws, store, server, *names), extra=KEYS) as daemon:
        eventually(lambda: all_fresh(daemon), what="every token", retry_on=(OSError,))
        assert float(TOKENS) == daemon.metric("secret_fetches_total", backend="aws", outcome="success")
    assert {"BatchGetSecretValue"} == store.asked.keys()
    assert store.asked["BatchGetSecretValue"] <= TOKENS // 5
    assert (1, {"ROLE1"}) == (len(store.aws.roles), set(store.aws.readers))


def test_policy_without_batches_is_enough(
    tmp_path: Path, store: Store, aws: FaultServer, server: DevelopmentAuthorizationServer
) -> None:
    """Each secret is read by itself then; the log says once which action would spare that."""
    store.forbids = frozenset({"BatchGetSecretValue"})
    with Daemon(tmp_path, tables(aws, store, server, "a", "b", "c"), extra=KEYS) as daemon:
        eventually(lambda: all_fresh(daemon), what="every token", retry_on=(OSError,))

        def told() -> list[str]:
            warnings = [line["message"] for line in daemon.lines("life_cycle")]
            return [words for words in warnings if "secretsmanager:BatchGetSecretValue" in words]

        assert 1 == len(eventually(told, what="the action is named"))
    assert {"BatchGetSecretValue": 1, "GetSecretValue": 3} == dict(store.asked)


def test_secret_that_is_missing_is_missing_alone(
    tmp_path: Path, store: Store, aws: FaultServer, server: DevelopmentAuthorizationServer
) -> None:
    """R-107: an error in a batch is one token's, and heals by itself."""
    configuration = tables(aws, store, server, "a", "b", "deploy", poll="1s")
    secret = store.secrets.pop("deploy")
    with Daemon(tmp_path, configuration, extra=KEYS) as daemon:
        for name in ("a", "b"):
            daemon.wait_for(name=name, state="fresh", condition="ok")
        told = daemon.wait_for(state="absent", condition="secret_missing")
        assert "secret backend aws: deploy: no such secret" in told["reason"]
        store.secrets["deploy"] = secret
        daemon.wait_for(state="fresh", condition="ok")


def test_credentials_that_are_not_there_at_boot_are_waited_for(
    tmp_path: Path, store: Store, aws: FaultServer, server: DevelopmentAuthorizationServer
) -> None:
    """F-29: the container's endpoint comes up after us."""
    store.aws.container_refuses = Reply(503)
    container = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{aws.url}/credentials"}
    with Daemon(tmp_path, tables(aws, store, server, "deploy"), extra=container) as daemon:
        told = daemon.wait_for(state="absent", condition="backend_unreachable")
        assert "the source of AWS credentials failed" in told["reason"]
        store.aws.container_refuses = None
        daemon.wait_for(state="fresh", condition="ok")
    assert {"ROLE1"} == set(store.aws.readers)


@pytest.mark.backends
def test_backend_that_hangs_holds_no_other(
    tmp_path: Path, store: Store, aws: FaultServer, server: DevelopmentAuthorizationServer
) -> None:
    """Its calls end after ten seconds, or are given up after twelve, in threads of their own."""
    with silent_port() as port:
        hung = f"""
[secret_backends.hung]
type = "aws-secrets-manager"
region = "{REGION}"
endpoint_url = "http://127.0.0.1:{port}"
allow_insecure_loopback = true
"""
        hung += "".join(managed_token(f"h{number}", name=f"h{number}", backend="hung") for number in range(8))
        with Daemon(tmp_path, tables(aws, store, server, "deploy") + hung, extra=KEYS) as daemon:
            daemon.wait_for(state="fresh", condition="ok", timeout=9)
            for revision in (2, 3):
                began = time.monotonic()
                daemon.ask("/v1/tokens/deploy/renew", "POST")
                daemon.wait_for(revision=revision, condition="ok")
                assert time.monotonic() - began < UNDISTURBED_SECONDS
            assert "absent" == daemon.record("h0")["state"]
            for number in range(8):
                daemon.wait_for(name=f"h{number}", condition="backend_unreachable")
            assert 0 == daemon.stop()[0]
