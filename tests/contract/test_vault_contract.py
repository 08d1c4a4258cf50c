"""The Vault backend keeps the contract of secret backends on OpenBao, with both engines and logins."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

import backends.vault
from broker.testing.secret_backend_contract import SecretBackendContract
from tests.servers.openbao import OpenBao


class Vault(SecretBackendContract):
    plugin = backends.vault.plugin
    module = "backends.vault"
    heavy_modules = ("hvac", "boto3", "botocore", "requests", "urllib3")
    method: ClassVar[str]
    mount: ClassVar[str]
    kv_version: ClassVar[int]

    @pytest.fixture(autouse=True)
    def _server(self, openbao: OpenBao, tmp_path: Path) -> None:
        self.openbao = openbao
        self.directory = tmp_path
        self.policy = f"contract-{uuid.uuid4()}"
        self._write_policy()
        self.auth = self._credentials()

    def options(self) -> Mapping[str, Any]:
        place = {"mount": self.mount, "kv_version": self.kv_version}
        return {"url": self.openbao.url, "allow_insecure_loopback": True, "auth": self.auth, **place}

    def moved_to(self, port: int) -> Mapping[str, Any]:
        return {**self.options(), "url": f"http://127.0.0.1:{port}"}

    def deny(self, path: str) -> None:
        self._write_policy(f'path "{self._api_path("data", path)}" {{ capabilities = ["deny"] }}')

    def reads(self, path: str) -> int:
        return len(self.openbao.requests(self._api_path("data", path)))

    def _api_path(self, endpoint: str, path: str) -> str:
        return f"{self.mount}/{endpoint}/{path}" if self.kv_version == 2 else f"{self.mount}/{path}"

    def _write_policy(self, more: str = "") -> None:
        readable = f'path "{self.mount}/*" {{ capabilities = ["read"] }}'
        self.openbao.write_policy(self.policy, f"{readable}\n{more}")

    def _credentials(self) -> Mapping[str, Any]:
        if self.method == "token_file":
            path = self._file("token", self.openbao.create_token([self.policy, "default"]) + "\n")
            return {"method": "token_file", "path": path}
        role = self.openbao.approle([self.policy])
        secret_id_file = self._file("secret-id", role.secret_id)
        role_id_file = self._file("role-id", role.role_id + "\n")
        return {"method": "approle", "role_id_file": role_id_file, "secret_id_file": secret_id_file}

    def _file(self, name: str, text: str) -> str:
        path = self.directory / name
        path.touch(mode=0o600)
        path.write_text(text)
        return str(path)


class TestVersionTwoByAppRole(Vault):
    method, mount, kv_version = "approle", "secret", 2
    abilities = frozenset({"versions", "deny", "count", "network", "http", "retry_after"})

    def put(self, path: str, fields: Mapping[str, str]) -> None:
        self.openbao.put_secret(path, fields)


class TestVersionOneByTokenFile(Vault):
    method, mount, kv_version = "token_file", "kv1", 1
    abilities = frozenset({"deny", "count", "network", "http", "retry_after"})

    def put(self, path: str, fields: Mapping[str, str]) -> None:
        self.openbao.put_secret_v1(path, fields)
