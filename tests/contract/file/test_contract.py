"""The file backend keeps the contract of secret backends."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import backends.file
from broker.testing.secret_backend_contract import SecretBackendContract


class TestFile(SecretBackendContract):
    plugin = backends.file.plugin
    module = "backends.file"
    heavy_modules = ("hvac", "boto3", "botocore", "requests")
    abilities = frozenset({"versions", "whole", "spoil"})

    @pytest.fixture(autouse=True)
    def _directory(self, tmp_path: Path) -> None:
        self.directory = tmp_path / "secrets"
        self.directory.mkdir()

    def options(self) -> Mapping[str, Any]:
        return {"directory": str(self.directory)}

    def put(self, path: str, fields: Mapping[str, str]) -> None:
        place = self.directory / path
        place.mkdir(parents=True, exist_ok=True)
        for name, value in fields.items():
            (place / f".{name}").write_bytes(value.encode())
            (place / f".{name}").rename(place / name)

    def put_whole(self, path: str, value: bytes) -> None:
        place = self.directory / path
        shutil.rmtree(place, ignore_errors=True)
        place.unlink(missing_ok=True)
        place.write_bytes(value)

    def spoil(self, path: str) -> None:
        shutil.rmtree(self.directory / path)
        os.mkfifo(self.directory / path)
