"""The JSON Schema says what the decoder accepts."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # published without types
import pytest
import yaml

from broker.config.json_schema import DIALECT, schema
from tests.config.surroundings import FakeVocabulary, faults_of

SCHEMA = schema(FakeVocabulary())
EXAMPLE: dict[str, Any] = yaml.load(
    (Path(__file__).parent / "example.yaml").read_text(), Loader=yaml.BaseLoader
)


def example() -> dict[str, Any]:
    """The example as JSON would have it."""
    tree = copy.deepcopy(EXAMPLE)
    tree["secret_backends"]["corp"]["kv_version"] = 2
    tree["authorization_servers"]["odc"]["max_concurrent_mints"] = 4
    tree["tokens"]["deploy"].update(required=True, renew_at=0.5)
    return tree


def valid(tree: object) -> bool:
    """Whether a validator that knows the dialect accepts it."""
    return bool(jsonschema.Draft202012Validator(SCHEMA).is_valid(tree))


def test_the_schema_is_valid_draft_2020_12() -> None:
    """By the dialect's own schema."""
    assert DIALECT == SCHEMA["$schema"]
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_every_reference_leads_somewhere() -> None:
    """Nothing was merged away that is still referred to."""

    def references(node: object) -> list[str]:
        if isinstance(node, dict):
            return [
                *(v for k, v in node.items() if k == "$ref"),
                *(r for v in node.values() for r in references(v)),
            ]
        return [r for v in node for r in references(v)] if isinstance(node, list) else []

    assert {reference.removeprefix("#/$defs/") for reference in references(SCHEMA)} <= set(SCHEMA["$defs"])


def test_every_table_is_closed() -> None:
    """Editors mark an unknown key as the decoder does."""
    tables = [each for each in SCHEMA["$defs"].values() if each.get("type") == "object"]
    assert tables
    assert all(table["additionalProperties"] is False for table in tables)


def test_the_example_is_valid() -> None:
    """And the empty file."""
    assert valid(example())
    assert valid({})


WRONG = [
    (("brokr",), {}),
    (("broker", "startup_deadline"), "soon"),
    (("broker", "startup_deadline"), -1),
    (("socket", "mode"), 432),
    (("socket", "mode"), "0999"),
    (("socket", "group"), None),
    (("log", "level"), "loud"),
    (("secret_backends", "corp", "type"), "valut"),
    (("secret_backends", "corp", "kv_version"), 3),
    (("secret_backends", "corp", "auth"), {"method": "approle"}),
    (("secret_backends", "corp", "auth"), {"method": "token_file", "path": "/t", "role": "x"}),
    (("secret_backends", "local", "url"), "https://vault.example"),
    (("tokens", "deploy", "client_secret"), "S3CR3T-1"),
    (("tokens", "deploy", "scope"), "a b"),
    (("tokens", "deploy", "renew_at"), 1),
    (("tokens", "deploy", "files"), [{"path": "x", "type": "file"}]),
    (("tokens", "deploy", "sinks"), [{"path": "x"}]),
    (("tokens", "a b"), EXAMPLE["tokens"]["deploy"]),
]


@pytest.mark.parametrize(("place", "value"), WRONG)
def test_schema_and_decoder_refuse_the_same(tmp_path: Path, place: tuple[str, ...], value: object) -> None:
    """Two gatekeepers of one gate."""
    tree = example()
    *above, last = place
    table = tree
    for key in above:
        table = table[key]
    table[last] = value
    assert not valid(tree)
    environment = {"CREDENTIALS_DIRECTORY": "/run/credentials"}
    assert faults_of(tmp_path, yaml.safe_dump(tree), name="config.yaml", environment=environment)


@pytest.mark.parametrize("duration", ["500ms", "90s", 90, 0.5])
def test_durations_are_text_or_numbers(duration: object) -> None:
    """In the file; decoded they are seconds."""
    assert valid({"broker": {"startup_deadline": duration}})


def test_descriptions_come_from_docstrings_and_defaults_are_as_written() -> None:
    """What an editor shows while one types."""
    socket = SCHEMA["$defs"]["SocketTable"]["properties"]
    assert "0660" == socket["mode"]["default"]
    assert socket["mode"]["description"].startswith("Who may connect")
    assert 'type = "vault"' == SCHEMA["$defs"]["secret_backends"]["oneOf"][0]["title"]
