"""The file sink keeps the contract that ships."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from broker.sinks.file import plugin
from broker.testing.token_sink_contract import TokenSinkContract


class TestFileSink(TokenSinkContract):
    plugin = plugin
    module = "broker.sinks.file"
    heavy_modules = ("asyncio", "httpx2", "uvloop", "prometheus_client")
    abilities = frozenset({"count", "break"})

    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> None:
        self.directory = tmp_path / "tokens"
        self.token = self.directory / "deploy"

    def options(self) -> Mapping[str, Any]:
        return {"path": str(self.token), "mode": 0o640}

    def found(self) -> str | None:
        return self.token.read_text() if self.token.exists() else None

    def writes(self) -> int:
        return self.token.stat().st_mtime_ns

    def break_it(self) -> None:
        if self.directory.exists():
            self.directory.rename(self.directory.with_name("away"))
        self.directory.write_text("a file where a directory is needed")

    def mend_it(self) -> None:
        self.directory.unlink()
        away = self.directory.with_name("away")
        if away.exists():
            away.rename(self.directory)


class TestFileSinkInFull(TestFileSink):
    """With all that the table can say; the token is still what is in the file."""

    def options(self) -> Mapping[str, Any]:
        return {
            **super().options(),
            "format": "template",
            "template": "$access_token",
            "metadata": str(self.directory / "deploy.json"),
            "on_expiry": "remove",
        }
