"""Answers held against the description that the server gives of itself.

Owns: the look-up of what is promised for a request, and the validation. Knows nothing of tests.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # published without types

from broker.server import openapi

METHODS = ("get", "post")


@cache
def description() -> dict[str, Any]:
    """The document."""
    found: dict[str, Any] = json.loads(openapi.document())
    return found


def promises() -> set[tuple[str, str, str]]:
    """Method, path and status of every answer that is described, the general refusals apart."""
    return {
        (method.upper(), path, status)
        for path, item in description()["paths"].items()
        for method in METHODS
        if method in item
        for status in item[method]["responses"]
        if status != "default"
    }


def hold(method: str, path: str, status: int, content_type: str, body: bytes) -> None:
    """AssertionError or ValidationError if this is not an answer that the description knows."""
    responses = _operation(method, path).get("responses", {})
    described = _resolved(responses.get(str(status)) or {"$ref": "#/components/responses/refusal"})
    content = described["content"]
    assert content_type in content, f"{method} {path}: {status} {content_type} is not described"
    if content_type == "text/plain":
        assert body.isascii()
        return
    lines = body.splitlines() if content_type == "application/x-ndjson" else [body]
    for line in lines:
        _validator(json.dumps(content[content_type]["schema"])).validate(json.loads(line))


def _operation(method: str, path: str) -> dict[str, Any]:
    target = path.partition("?")[0]
    for template, item in description()["paths"].items():
        if re.fullmatch(re.escape(template).replace(r"\{name\}", "[^/]+"), target):
            operation: dict[str, Any] = item.get(method.lower(), {})
            return operation
    return {}


def _resolved(node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        target: Any = description()
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


@cache
def _validator(schema: str) -> Draft202012Validator:
    # `components` at the root, so that the references in it are found.
    return Draft202012Validator({"components": description()["components"], "allOf": [json.loads(schema)]})
