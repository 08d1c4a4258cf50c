"""`run`, `once`, `check` and `schema` as far as they are the command line's: files, exit codes, words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from broker.cli.check import excused
from broker.config.inspection import Inspection
from broker.config.schema import BrokerTable, Config, SocketTable
from broker.errors import Fault
from tests.cli.command import token_broker

CONFIG = """\
[broker]
runtime_dir = {directory}
state_dir = {state}

[secret_backends.local]
type = "file"
directory = {secrets}

[authorization_servers.tenant]
token_endpoint = "https://tenant.example/token"

[tokens.deploy]
authorization_server = "tenant"
client_id = "deploy"
client_secret = {{ backend = "local", path = "deploy.json", field = "client_secret" }}

[[tokens.deploy.files]]
path = "tokens/deploy"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration without a fault, whose directories exist."""
    (tmp_path / "secrets").mkdir()
    file = tmp_path / "config.toml"
    directory, state, secrets = (json.dumps(str(tmp_path / name)) for name in ("run", "state", "secrets"))
    file.write_text(CONFIG.format(directory=directory, state=state, secrets=secrets))
    return file


def test_a_good_configuration_is_ok(config: Path) -> None:
    """One line that names the file and what would be managed."""
    run = token_broker("check", "--config", str(config))
    assert (0, f"{config}: ok, managed tokens: deploy\n") == (run.returncode, run.stdout)


@pytest.mark.parametrize("verb", ["check", "run", "once"])
def test_every_fault_is_a_line_with_its_key_and_never_a_value(config: Path, verb: str) -> None:
    """R-001, R-003: all at once, 78."""
    text = config.read_text().replace("client_id =", "clientid =").replace('"deploy"', '"S3CR3T-value"', 1)
    config.write_text(text + 'mode = "S3CR3T-mode"\n')
    run = token_broker(verb, "--config", str(config))
    assert (78, "") == (run.returncode, run.stdout)
    assert {"tokens.deploy.clientid", "tokens.deploy.files[0].mode"} <= {
        line.partition(":")[0] for line in run.stderr.splitlines()
    }
    assert 'did you mean "client_id"?' in run.stderr
    assert "S3CR3T" not in run.stderr


@pytest.mark.parametrize("verb", ["check", "run", "once"])
def test_a_missing_configuration_is_named(tmp_path: Path, verb: str) -> None:
    """78, with the path."""
    run = token_broker(verb, "--config", str(tmp_path / "none.toml"))
    assert (78, "") == (run.returncode, run.stdout)
    assert f"{tmp_path}/none.toml: no such file" in run.stderr


def test_the_configuration_may_come_from_the_environment(config: Path) -> None:
    """So that units and images need not repeat it."""
    run = token_broker("check", env={"TOKEN_BROKER_CONFIG": str(config)})
    assert 0 == run.returncode


@pytest.mark.skipif(Path("/etc/token-broker").exists(), reason="this host has a configuration")
def test_the_default_configuration_is_below_etc() -> None:
    """docs/interface.md 2."""
    run = token_broker("check")
    assert 78 == run.returncode
    assert "/etc/token-broker/config.toml" in run.stderr


def test_a_missing_file_that_the_configuration_names_is_a_line_of_check(config: Path) -> None:
    """docs/interface.md 7; at run time it would be a condition."""
    (config.parent / "secrets").rmdir()
    run = token_broker("check", "--config", str(config))
    assert (78, "") == (run.returncode, run.stdout)
    assert run.stderr.startswith("secret_backends.local.directory: no such directory")


def test_a_directory_that_others_may_write_is_a_line_of_check(config: Path) -> None:
    """The file sink would refuse it."""
    directory = config.parent / "run" / "tokens"
    directory.mkdir(parents=True)
    directory.chmod(0o777)
    run = token_broker("check", "--config", str(config))
    assert 78 == run.returncode
    assert "is writable by others" in run.stderr


def test_a_symbolic_link_on_the_way_to_a_directory_is_a_line_of_check(config: Path) -> None:
    """F-34: the file sink would refuse it, also before the directory behind it is made."""
    (config.parent / "real").mkdir()
    (config.parent / "run").symlink_to("real")
    run = token_broker("check", "--config", str(config))
    assert 78 == run.returncode
    assert f"{config.parent}/run is a symbolic link to real" in run.stderr


def test_a_default_directory_of_another_user_is_only_a_note() -> None:
    """The configuration of a system service is checked by its author, who may not write below /run."""
    found = tuple(
        Fault(path, "not writable") for path in ("broker.runtime_dir", "broker.state_dir", "socket.path")
    )
    named = Config(broker=BrokerTable(runtime_dir="/r", state_dir="/s"), socket=SocketTable(path="/r/s"))
    unnamed = Config(socket=SocketTable(path="/run/token-broker/token-broker.sock"))
    inspection = Inspection(faults=found, notes=())
    assert inspection == excused(inspection, named)
    assert Inspection(faults=(), notes=found) == excused(inspection, unnamed)


def test_the_schema_knows_what_is_installed() -> None:
    """Plug-ins' options are part of it."""
    run = token_broker("schema")
    schema = json.loads(run.stdout)
    assert 0 == run.returncode
    assert "tokens" in schema["properties"]
    assert "role_id_file" in run.stdout
