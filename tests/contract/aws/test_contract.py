"""The AWS backend keeps the contract of secret backends: on moto, and where moto is none, with an imitation of ours.

moto denies nobody and counts nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

import backends.aws_secrets_manager
from broker.testing.secret_backend_contract import SecretBackendContract
from tests.contract.aws.imitation import ROLE
from tests.contract.aws.store import Store
from tests.contract.fault_server import running_fault_server
from tests.servers.moto import REGION, Moto


class TestSecretsManager(SecretBackendContract):
    plugin = backends.aws_secrets_manager.plugin
    module = "backends.aws_secrets_manager"
    heavy_modules = ("hvac", "boto3", "botocore", "requests", "urllib3")
    abilities = frozenset({"versions", "whole", "network", "http", "retry_after"})

    @pytest.fixture(autouse=True)
    def _server(self, moto: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
        self.moto = moto
        self.manager = moto.client("secretsmanager")
        for name, value in moto.environment.items():
            monkeypatch.setenv(name, value)

    def options(self) -> Mapping[str, Any]:
        return {"region": REGION, "endpoint_url": self.moto.url, "allow_insecure_loopback": True}

    def moved_to(self, port: int) -> Mapping[str, Any]:
        return {**self.options(), "endpoint_url": f"http://127.0.0.1:{port}"}

    def put(self, path: str, fields: Mapping[str, str]) -> None:
        value = json.dumps(fields)
        try:
            self.manager.create_secret(Name=path, SecretString=value)
        except self.manager.exceptions.ResourceExistsException:
            self.manager.put_secret_value(SecretId=path, SecretString=value)

    def put_whole(self, path: str, value: bytes) -> None:
        self.manager.put_secret_value(SecretId=path, SecretBinary=value)


@pytest.mark.usefixtures("aws_keys")
class TestImitation(SecretBackendContract):
    plugin = backends.aws_secrets_manager.plugin
    module = "backends.aws_secrets_manager"
    abilities = frozenset({"versions", "deny", "count"})

    @pytest.fixture(autouse=True)
    def _server(self) -> Iterator[None]:
        self.store = Store()
        with running_fault_server(self.store) as server:
            self.url = server.url
            yield

    def options(self) -> Mapping[str, Any]:
        return {"region": REGION, "endpoint_url": self.url, "allow_insecure_loopback": True, "role_arn": ROLE}

    def put(self, path: str, fields: Mapping[str, str]) -> None:
        self.store.secrets[path] = json.dumps(fields)

    def deny(self, path: str) -> None:
        self.store.denied.add(path)

    def reads(self, path: str) -> int:
        return self.store.values_read[path]
