"""The audit log of OpenBao, read as a ledger of who asked for what.

Owns the format of a line. Values are hashed by the server: a ledger never shows a secret.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class AuditedRequest:
    """``operation`` is read, create, update, delete, list or patch; ``error`` is empty when it was served."""

    operation: str
    path: str
    error: str


def read_ledger(file: Path) -> list[AuditedRequest]:
    """All requests so far, oldest first; the server writes each line before it answers."""
    text = file.read_text() if file.exists() else ""
    whole_lines = text.split("\n")[:-1]  # a line being written has no end yet
    entries: list[dict[str, Any]] = [json.loads(line) for line in whole_lines]
    return [_request(entry) for entry in entries if entry["type"] == "response"]


def _request(entry: dict[str, Any]) -> AuditedRequest:
    asked = entry["request"]
    return AuditedRequest(asked["operation"], asked["path"], entry.get("error", ""))
