"""The promises that token-broker's own backends keep, put to ours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import acme_secrets
import pytest
from acme_store import AcmeStore

from broker.testing.secret_backend_contract import SecretBackendContract


class TestAcme(SecretBackendContract):
    plugin = acme_secrets.plugin
    module = "acme_secrets"
    abilities = frozenset({"versions", "deny", "spoil", "count", "network", "http", "retry_after"})

    @pytest.fixture(autouse=True)
    def _store(self, tmp_path: Path) -> Any:
        self.token_file = tmp_path / "token"
        with AcmeStore() as self.store:
            self.token_file.write_text(self.store.token)
            yield

    def options(self) -> Mapping[str, Any]:
        return {**self.moved_to(self.store.port)}

    def moved_to(self, port: int) -> Mapping[str, Any]:
        place = {"url": f"http://127.0.0.1:{port}", "token_file": str(self.token_file)}
        return {**place, "allow_insecure_loopback": True}

    def put(self, path: str, fields: Mapping[str, str]) -> None:
        self.store.put(path, fields)

    def deny(self, path: str) -> None:
        self.store.denied.add(path)

    def spoil(self, path: str) -> None:
        self.store.put(path, "no secret")

    def reads(self, path: str) -> int:
        return self.store.asked.count(path)
