"""The AWS backend keeps the contract of secret backends on moto, as far as moto goes: it denies nobody."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

import backends.aws_secrets_manager
from broker.testing.secret_backend_contract import SecretBackendContract
from tests.servers.moto import REGION, Moto


class TestSecretsManager(SecretBackendContract):
    plugin = backends.aws_secrets_manager.plugin
    module = "backends.aws_secrets_manager"
    heavy_modules = ("hvac", "boto3", "botocore", "requests", "urllib3")
    abilities = frozenset({"versions", "whole", "network", "http"})

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
