"""One schema, two spellings: interface.md's example, as far as it exists, in TOML and in YAML."""

from __future__ import annotations

from pathlib import Path

import msgspec

from broker.config.schema import Config
from broker.options import SecretRef
from tests.config.surroundings import AppRole, load_text

HERE = Path(__file__).parent
ENVIRONMENT = {"CREDENTIALS_DIRECTORY": "/run/credentials/token-broker.service"}


def example(suffix: str, directory: Path) -> Config:
    """The example in one spelling."""
    text = (HERE / f"example{suffix}").read_text()
    return load_text(directory, text, name=f"config{suffix}", environment=ENVIRONMENT)


def test_both_spellings_are_equal(tmp_path: Path) -> None:
    """Hosts and Kubernetes mean the same."""
    assert example(".toml", tmp_path) == example(".yaml", tmp_path)


def test_the_example_means_what_it_says(tmp_path: Path) -> None:
    """Paths are absolute, durations are seconds, modes are bits."""
    config = example(".toml", tmp_path)
    token = config.tokens["deploy"]
    assert "/run/token-broker/token-broker.sock" == config.socket.path
    assert 30.0 == config.broker.startup_deadline
    assert SecretRef(backend="corp", path="odc/deploy", field="client_secret") == token.client_secret
    assert 300.0 == token.default_lifetime
    assert ("/run/token-broker/tokens/deploy", 0o640) == (
        token.files[0].options.path,
        token.files[0].options.mode,
    )
    assert ("deployer.service",) == token.allow.units
    assert (
        AppRole(
            role_id_file="/etc/token-broker/role-id",
            secret_id_file="/run/credentials/token-broker.service/secret-id",
        )
        == config.secret_backends["corp"].options.auth
    )


def test_a_decoded_configuration_can_be_compared_and_copied(tmp_path: Path) -> None:
    """A reload rebuilds what differs (R-012)."""
    config = example(".toml", tmp_path)
    assert config == msgspec.structs.replace(config)
