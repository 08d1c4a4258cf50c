"""R-001: whatever is wrong with a configuration, no value of it is in what is said about it."""

from __future__ import annotations

import copy
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import ConfigError
from tests.config.surroundings import load_text

CANARY = "S3CR3T-7f3a"
CANARY_NUMBER = 73_617_361

# Without `include`: its values are names of files, and a file that cannot be used must be named.
VALID: dict[str, Any] = {
    "broker": {"runtime_dir": "/run/x", "state_dir": "/var/x", "startup_deadline": "30s"},
    "socket": {"path": "x.sock", "mode": "0660", "group": "ci"},
    "ops": {"listen": "127.0.0.1:9464"},
    "log": {"level": "info", "format": "json"},
    "secret_backends": {
        "corp": {
            "type": "vault",
            "url": "https://vault.example",
            "kv_version": 2,
            "allow_insecure_loopback": False,
            "auth": {"method": "approle", "role_id_file": "/r", "secret_id_file": "/s"},
        },
        "local": {"type": "file", "directory": "/etc/x"},
    },
    "authorization_servers": {
        "odc": {
            "profile": "generic",
            "discovery_url": "https://acme.example/identity/.well-known/openid-configuration",
            "issuer": "https://acme.example/realms/x",
            "token_endpoint_hosts": ["acme.example"],
            "token_endpoint_auth_method": "client_secret_post",
            "max_concurrent_mints": 4,
        }
    },
    "tokens": {
        "deploy": {
            "authorization_server": "odc",
            "client_id": "deploy",
            "client_secret": {"backend": "corp", "path": "odc/deploy", "field": "client_secret"},
            "client_secret_expires": "2030-01-02",
            "scope": ["a", "b"],
            "resource": ["https://api.example"],
            "audience": "x",
            "parameters": {"a": "b"},
            "default_lifetime": "300s",
            "required": True,
            "renew_at": 0.5,
            "files": [{"path": "t", "format": "raw", "mode": "0640", "group": "ci", "on_expiry": "keep"}],
            "sinks": [{"type": "file", "path": "u"}],
            "allow": {"users": ["jenkins"], "groups": ["ci"], "units": ["a.service"]},
        }
    },
}

POISONS: list[Callable[[Any], Any]] = [
    lambda _: CANARY,
    lambda _: [CANARY],
    lambda _: {"backend": CANARY, "path": CANARY},
    lambda _: {"method": CANARY, "type": CANARY},
    lambda _: CANARY_NUMBER,
    lambda _: float(CANARY_NUMBER),
    lambda _: f"${{{CANARY}}}/x",
    lambda _: f"http://{CANARY}.example",
    lambda _: f"https://user:{CANARY}@127.0.0.1/",
    lambda _: f"{CANARY}\n",
    lambda _: f"{CANARY} 90s",
    lambda _: None,
    lambda value: [value, CANARY],
    lambda value: {**value, "unknown": CANARY} if isinstance(value, dict) else {"unknown": CANARY},
]


def places(tree: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every table, array and leaf below the top."""
    keys = tree.keys() if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    return [place for key in keys for place in ((*at, key), *places(tree[key], (*at, key)))]


def poisoned(changes: list[tuple[tuple[Any, ...], Callable[[Any], Any]]]) -> dict[str, Any]:
    """The valid tree with these places changed, the deepest first."""
    tree = copy.deepcopy(VALID)
    for place, poison in sorted(changes, key=lambda change: -len(change[0])):
        *above, last = place
        table = tree
        for key in above:
            table = table[key]
        table[last] = poison(table[last])
    return tree


def error_from(text: str, name: str) -> ConfigError | None:
    """What loading a file with this text raises."""
    with tempfile.TemporaryDirectory() as directory:
        try:
            load_text(Path(directory), text, name=name)
        except ConfigError as error:
            return error
    return None


def said_about(text: str, name: str) -> str:
    """Everything that a ConfigError can show: itself, its parts, its traceback with causes."""
    error = error_from(text, name)
    if error is None:
        return ""
    assert error.faults
    assert error.__context__ is None
    return f"{error}{error!r}{error.args}{error.faults}{''.join(traceback.format_exception(error))}"


def test_the_configuration_that_is_poisoned_below_is_valid() -> None:
    """Otherwise nothing would be proved."""
    assert "" == said_about(yaml.safe_dump(VALID), "config.yaml")


@given(st.lists(st.tuples(st.sampled_from(places(VALID)), st.sampled_from(POISONS)), min_size=1, max_size=4))
def test_no_mutation_makes_a_value_appear(
    changes: list[tuple[tuple[Any, ...], Callable[[Any], Any]]],
) -> None:
    """R-001: wrong values everywhere, in every shape."""
    said = said_about(yaml.safe_dump(poisoned(changes)), "config.yaml")
    assert CANARY not in said
    assert str(CANARY_NUMBER) not in said


@pytest.mark.parametrize("place", places(VALID), ids=lambda place: ".".join(map(str, place)))
def test_every_place_refuses_a_table_that_it_does_not_know(place: tuple[Any, ...]) -> None:
    """R-001: a fault for each wrong type, naming the key path."""
    said = said_about(
        yaml.safe_dump(poisoned([(place, lambda _: {"unknown": {"x": CANARY}})])), "config.yaml"
    )
    assert CANARY not in said
    if place[-2:] != ("deploy", "parameters"):
        assert str(place[0]) in said


@given(st.integers(0, 2000), st.sampled_from(["'", '"', "[", "]", "{", "=", ":", "\n", "\t", "\0", "*", "!"]))
def test_no_syntax_error_quotes_the_line(position: int, character: str) -> None:
    """R-001: a stray character anywhere in a file that holds what it should not."""
    toml = f'[tokens.deploy]\nclient_id = "{CANARY}"\nclient_secret = "{CANARY}"\naudience = [ "{CANARY}" ]\n'
    plain = yaml.safe_dump(
        {"tokens": {"deploy": {"client_id": CANARY, "client_secret": [CANARY, f"{CANARY}: x"]}}}
    )
    for text, name in ((toml, "config.toml"), (plain, "config.yaml")):
        cut = position % len(text)
        error = error_from(text[:cut] + character + text[cut:], name)
        assert error is not None
        # A stray character can make a key of what was a value, and keys are named; nothing else is.
        assert not [fault for fault in error.faults if CANARY in fault.message]
        assert not [fault for fault in error.faults if CANARY in fault.path and name in fault.path]
