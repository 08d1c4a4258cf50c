"""The import budget, as a set: which libraries a verb or the daemon may not load."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.packaging.project import run

PROGRAM = """
import json, sys
before = set(sys.modules)
{action}
print(json.dumps(sorted(name for name in set(sys.modules) - before)))
"""

VERB = """
import contextlib, io
from broker.cli import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    status = main({arguments!r})
assert status == 75, status
"""


def loaded(action: str) -> set[str]:
    """Answer the modules that a fresh interpreter loads to do ``action``."""
    result = run(sys.executable, "-I", "-c", PROGRAM.format(action=action))
    assert result.returncode == 0, result.stderr
    return set(json.loads(result.stdout.splitlines()[-1]))


def strangers(modules: set[str]) -> set[str]:
    """Answer the top-level names among ``modules`` that are neither the standard library's nor ours."""
    return {name.partition(".")[0] for name in modules} - sys.stdlib_module_names - {"broker"}


@pytest.mark.parametrize(
    "verb",
    [
        pytest.param(["get", "deploy"], id="get"),
        pytest.param(["status"], id="status"),
        pytest.param(["status", "--json"], id="status-json"),
        pytest.param(["wait", "deploy", "--timeout", "0s"], id="wait"),
        pytest.param(["renew", "deploy"], id="renew"),
    ],
)
def test_client_verb_loads_the_standard_library_only(verb: list[str], tmp_path: Path) -> None:
    """A client verb that finds no daemon answers 75 having loaded no asyncio and no third-party library."""
    arguments = [*verb, "--socket", str(tmp_path / "absent.sock")]
    modules = loaded(VERB.format(arguments=arguments))
    assert set() == strangers(modules)
    assert set() == modules & {"asyncio", "ssl", "logging", "http.client", "importlib.metadata"}


def test_client_library_loads_the_standard_library_only() -> None:
    """Programs import broker.client into theirs: it brings neither the daemon nor anything installed."""
    modules = loaded("import broker.client")
    assert set() == strangers(modules)
    assert {"broker", "broker.client"} == {
        ".".join(name.split(".")[:2]) for name in modules if name.startswith("broker")
    }


def test_daemon_loads_no_backend_library() -> None:
    """hvac, boto3 and requests are loaded by the backends that use them, and by nothing else."""
    modules = loaded("import broker.app")
    assert set() == strangers(modules) & {"hvac", "boto3", "botocore", "requests", "urllib3", "backends"}


@pytest.mark.parametrize(
    ("backend", "foreign"),
    [
        pytest.param("vault", {"boto3", "botocore"}, id="vault"),
        pytest.param("aws_secrets_manager", {"hvac"}, id="aws"),
        pytest.param("file", {"hvac", "boto3", "botocore", "requests"}, id="file"),
    ],
)
def test_backend_loads_no_other_backends_library(backend: str, foreign: set[str]) -> None:
    """Who reads secrets from one place pays for one library."""
    assert set() == strangers(loaded(f"import backends.{backend}")) & foreign
