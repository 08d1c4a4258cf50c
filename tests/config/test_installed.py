"""The same with the plug-ins that are installed, whose options the fakes only resemble."""

from __future__ import annotations

from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # published without types
import pytest

from broker.app.plugin_vocabulary import PluginVocabulary
from broker.config.json_schema import schema
from broker.plugins import Plugins
from tests.config.surroundings import MINIMAL, faults_of, load_text

INSTALLED = PluginVocabulary(Plugins())


def test_the_example_loads(tmp_path: Path) -> None:
    """interface.md's example, as far as it exists."""
    text = (Path(__file__).parent / "example.toml").read_text()
    environment = {"CREDENTIALS_DIRECTORY": "/run/credentials/token-broker.service"}
    config = load_text(tmp_path, text, environment=environment, vocabulary=INSTALLED)
    assert ["corp", "local"] == list(config.secret_backends)
    assert "/run/token-broker/tokens/deploy" == config.tokens["deploy"].files[0].options.path


def test_the_schema_is_valid() -> None:
    """Whatever the plug-ins' structs are made of."""
    jsonschema.Draft202012Validator.check_schema(schema(INSTALLED))


@pytest.mark.parametrize(
    ("table", "path", "message"),
    [
        (
            'type = "valut"',
            "type",
            'no plug-in of that name is installed, there are aws-secrets-manager, file, vault; did you mean "vault"?',
        ),
        ('type = "vault"', "url", "required"),
        (
            'type = "vault"\nurl = "http://vault.example"\nauth = { method = "token_file", path = "/t" }',
            "url",
            "is not https; give an https URL",
        ),
        ('type = "file"\ndirectory = "S3CR3T-1/${X}"', "directory", "${X} does not expand in paths"),
        ('type = "aws-secrets-manager"\nregion = "S3CR3T-1"', "region", "AWS region"),
        ('type = "aws-secrets-manager"\nendpoint_url = "http://sm.example"', "endpoint_url", "is not https"),
    ],
)
def test_a_mistake_in_a_backend_has_its_place(tmp_path: Path, table: str, path: str, message: str) -> None:
    """R-001, R-006: and no value."""
    faults = faults_of(tmp_path, f"{MINIMAL}[secret_backends.x]\n{table}\n", vocabulary=INSTALLED)
    assert message in faults[f"secret_backends.x.{path}"]
    assert "S3CR3T" not in str(faults)


def test_the_installed_client_authentication_methods_are_told(tmp_path: Path) -> None:
    """By their registered names."""
    text = MINIMAL.replace(
        '"https://idp.example"', '"https://idp.example"\ntoken_endpoint_auth_method = "S3CR3T-1"'
    )
    message = faults_of(tmp_path, text, vocabulary=INSTALLED)[
        "authorization_servers.idp.token_endpoint_auth_method"
    ]
    assert "no such method is installed; one of client_secret_basic, client_secret_post" == message
