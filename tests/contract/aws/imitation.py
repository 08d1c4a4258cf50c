"""What AWS answers, for the fault server: Secrets Manager's JSON, the XML of STS, a container's endpoint.

Owns: shapes, as the services' documentation and botocore's models give them, and one server that has several of
them at one address and remembers who asked it for what. Refuses to know: signatures; it looks at key ids only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from backends.aws_secrets_manager.backend import SecretsManagerBackend
from backends.aws_secrets_manager.options import SecretsManagerOptions
from broker.api import PluginContext, SecretBackendError
from broker.testing.observer import RecordingObserver
from tests.canary import assert_silent
from tests.contract.fault_server import Asked, FaultServer, Reply, running_fault_server
from tests.servers.moto import REGION

PATIENCE_SECONDS = 20.0
JSON = {"Content-Type": "application/x-amz-json-1.1"}
ROLE = "arn:aws:iam::123456789012:role/token-broker"
VALUE = Reply(body={"Name": "odc", "VersionId": "v-1", "SecretString": '{"client_secret": "S3CR3T-value"}'})


def options(endpoint_url: str, **more: Any) -> SecretsManagerOptions:
    """Answer the table of a backend whose AWS is there."""
    return SecretsManagerOptions(
        region=REGION, endpoint_url=endpoint_url, allow_insecure_loopback=True, **more
    )


def backend(endpoint_url: str, **more: Any) -> SecretsManagerBackend:
    """Answer a backend whose AWS is there."""
    return SecretsManagerBackend(
        options(endpoint_url, **more), PluginContext(name="aws", observer=RecordingObserver())
    )


def read(aws: SecretsManagerBackend) -> str:
    """Answer the client secret that the backend finds."""
    return aws.read("odc", timeout_seconds=PATIENCE_SECONDS).fields["client_secret"].reveal()


def trouble(server: FaultServer, **more: Any) -> SecretBackendError:
    """Answer what a read raises."""
    with pytest.raises(SecretBackendError) as caught:
        read(backend(server.url, **more))
    assert_silent(caught.value)
    return caught.value


def refused(code: str, status: int = 400) -> Reply:
    """Secrets Manager says no."""
    return Reply(status, {"__type": code, "message": "S3CR3T-message"}, JSON)


def sts_refused(code: str, status: int = 403) -> Reply:
    """STS says no."""
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>S3CR3T-message</Message></Error>"
    return Reply(status, f"<ErrorResponse>{error}</ErrorResponse>".encode(), {"Content-Type": "text/xml"})


def assumed(action: str, key_id: str, *, life: timedelta) -> Reply:
    """STS gives the keys of a role."""
    expires = (datetime.now(UTC) + life).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = (
        f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result><Credentials>'
        f"<AccessKeyId>{key_id}</AccessKeyId><SecretAccessKey>S3CR3T-key-of-{key_id}</SecretAccessKey>"
        f"<SessionToken>S3CR3T-session-of-{key_id}</SessionToken><Expiration>{expires}</Expiration></Credentials>"
        "<AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/token-broker/token-broker</Arn>"
        f"<AssumedRoleId>AROA:token-broker</AssumedRoleId></AssumedRoleUser></{action}Result></{action}Response>"
    )
    return Reply(200, body.encode(), {"Content-Type": "text/xml"})


def container_keys(key_id: str, *, life: timedelta = timedelta(hours=6)) -> Reply:
    """A container's endpoint gives keys."""
    expires = (datetime.now(UTC) + life).strftime("%Y-%m-%dT%H:%M:%SZ")
    secret = {"SecretAccessKey": f"S3CR3T-key-of-{key_id}", "Token": f"S3CR3T-session-of-{key_id}"}
    return Reply(body={"AccessKeyId": key_id, **secret, "Expiration": expires})


@dataclass(slots=True)
class Aws:
    """STS, Secrets Manager and a container's endpoint; each role's keys are numbered in the order of asking."""

    life: timedelta = timedelta(hours=1)
    sts_refuses: Reply | None = None
    container_refuses: Reply | None = None
    secret: Reply = VALUE
    roles: list[dict[str, str]] = field(default_factory=list)
    """The parameters of each request to STS, with `key_id`, that of the caller, where there was one."""
    containers: list[str | None] = field(default_factory=list)
    """The authorization of each request to the container's endpoint."""
    readers: list[str] = field(default_factory=list)
    """The key id of each request to Secrets Manager."""

    def __call__(self, asked: Asked) -> Reply:
        found = re.search("Credential=([^/]+)/", asked.headers.get("authorization", ""))
        key_id = found[1] if found else ""
        if asked.method == "GET":
            self.containers.append(asked.headers.get("authorization"))
            return self.container_refuses or container_keys(f"CONTAINER{len(self.containers)}")
        if "x-amz-target" in asked.headers:
            self.readers.append(key_id)
            return self.secret
        parameters = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
        self.roles.append(parameters | {"key_id": key_id})
        return self.sts_refuses or assumed(parameters["Action"], f"ROLE{len(self.roles)}", life=self.life)


@contextmanager
def running_aws(aws: Aws) -> Iterator[FaultServer]:
    """At an address of its own."""
    with running_fault_server(aws) as server:
        yield server
