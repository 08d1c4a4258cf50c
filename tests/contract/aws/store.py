"""Secrets by name, as Secrets Manager answers for them, and what was asked for.

Owns: the three actions that the backend calls. Refuses to know: rotation; a value changes when a test says so.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import Any

from tests.contract.aws.imitation import JSON, Aws, refused
from tests.contract.fault_server import Asked, Reply


class Store:
    """A script for the fault server; STS and containers are `Aws`'s, and so is the count of who reads."""

    def __init__(self) -> None:
        self.aws = Aws()
        self.secrets: dict[str, str] = {}
        self.asked: Counter[str] = Counter()
        self.values_read: Counter[str] = Counter()
        self.forbids: frozenset[str] = frozenset()
        """Actions that no policy allows."""
        self.denied: set[str] = set()
        """Secrets that no policy allows."""

    def __call__(self, asked: Asked) -> Reply:
        target = asked.headers.get("x-amz-target", "")
        action = target.removeprefix("secretsmanager.")
        if target:
            self.asked[action] += 1
            self.aws.secret = self._answer(action, json.loads(asked.body))
        return self.aws(asked)

    def _answer(self, action: str, wanted: dict[str, Any]) -> Reply:
        if action in self.forbids:
            return refused("AccessDeniedException")
        if action == "BatchGetSecretValue":
            found = {name: self._error(name) for name in wanted["SecretIdList"]}
            values = [self._value(name) for name, error in found.items() if not error]
            failed = [{"SecretId": name, "ErrorCode": error} for name, error in found.items() if error]
            return Reply(200, {"SecretValues": values, "Errors": failed}, JSON)
        name = wanted["SecretId"]
        error = self._error(name)
        if error:
            return refused(error)
        if action == "DescribeSecret":
            versions = {self._version(name): ["AWSCURRENT"]}
            return Reply(200, {"Name": name, "VersionIdsToStages": versions}, JSON)
        return Reply(200, self._value(name), JSON)

    def _error(self, name: str) -> str:
        if name in self.denied:
            return "AccessDeniedException"
        return "" if name in self.secrets else "ResourceNotFoundException"

    def _version(self, name: str) -> str:
        return f"v-{hashlib.sha256(self.secrets[name].encode()).hexdigest()[:8]}"

    def _value(self, name: str) -> dict[str, Any]:
        self.values_read[name] += 1
        version = {"VersionId": self._version(name), "VersionStages": ["AWSCURRENT"]}
        return {"Name": name, "SecretString": self.secrets[name], **version}
