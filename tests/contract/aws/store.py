"""Secrets by name, as Secrets Manager answers for them, and what was asked for.

Owns: the three actions that the backend calls. Refuses to know: rotation; a value changes when a test says so.
"""

from __future__ import annotations

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
        self.forbids: frozenset[str] = frozenset()
        """Actions that no policy allows."""

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
            found = [self._value(name) for name in wanted["SecretIdList"] if name in self.secrets]
            absent = [name for name in wanted["SecretIdList"] if name not in self.secrets]
            failed = [{"SecretId": name, "ErrorCode": "ResourceNotFoundException"} for name in absent]
            return Reply(200, {"SecretValues": found, "Errors": failed}, JSON)
        name = wanted["SecretId"]
        if name not in self.secrets:
            return refused("ResourceNotFoundException")
        value = self._value(name)
        if action == "DescribeSecret":
            return Reply(
                200, {"Name": name, "VersionIdsToStages": {value["VersionId"]: ["AWSCURRENT"]}}, JSON
            )
        return Reply(200, value, JSON)

    def _value(self, name: str) -> dict[str, Any]:
        secret = self.secrets[name]
        version = {"VersionId": f"v-{len(secret)}", "VersionStages": ["AWSCURRENT"]}
        return {"Name": name, "SecretString": secret, **version}
