"""The import budget, as a set: which libraries a verb or the daemon may not load."""

from __future__ import annotations

import json
import os
import subprocess
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

KEYS = {
    "PATH": os.defpath,
    "AWS_ACCESS_KEY_ID": "ENVIRONMENT",
    "AWS_SECRET_ACCESS_KEY": "S3CR3T-environment",
}


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
    ("backend", "own", "foreign"),
    [
        pytest.param(
            'type = "vault"\nurl = "http://127.0.0.1:1"\nallow_insecure_loopback = true\n'
            'auth = { method = "token_file", path = "token" }',
            {"hvac", "requests"},
            {"boto3", "botocore", "s3transfer"},
            id="vault",
        ),
        pytest.param(
            'type = "aws-secrets-manager"\nregion = "eu-west-1"\n'
            'endpoint_url = "http://127.0.0.1:1"\nallow_insecure_loopback = true',
            {"boto3", "botocore"},
            {"hvac", "requests"},
            id="aws",
        ),
        pytest.param(
            'type = "file"\ndirectory = "secrets"',
            set(),
            {"hvac", "boto3", "botocore", "requests", "urllib3"},
            id="file",
        ),
    ],
)
def test_daemon_loads_the_library_of_its_backend_only(
    tmp_path: Path, backend: str, own: set[str], foreign: set[str]
) -> None:
    """Who reads secrets from one place pays for one library: a whole run, with a store that does not answer."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "token").write_text("S3CR3T-vault-token")
    (tmp_path / "config.toml").write_text(
        f"""
[broker]
runtime_dir = "{tmp_path}/run"
state_dir = "{tmp_path}/state"
startup_deadline = "1s"
[secret_backends.corp]
{backend}
[authorization_servers.odc]
token_endpoint = "http://127.0.0.1:1/token"
allow_insecure_loopback = true
[tokens.deploy]
authorization_server = "odc"
client_id = "deploy"
client_secret = {{ backend = "corp", path = "odc/deploy", field = "client_secret" }}
[[tokens.deploy.files]]
path = "tokens/deploy"
"""
    )
    finished = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "broker", "once", "--config", tmp_path / "config.toml"],
        env=KEYS,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 75 == finished.returncode, finished.stderr
    modules = {
        line.rpartition("|")[2].strip().partition(".")[0]
        for line in finished.stderr.splitlines()
        if line.startswith("import time:")
    }
    assert "broker" in modules
    assert (own, set()) == (own & modules, foreign & modules)
