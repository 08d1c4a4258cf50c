"""docs/backends/aws-secrets-manager.md: its commands set an account up, its configuration gets a token there."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.app.plugin_vocabulary import PluginVocabulary
from broker.dev.authorization_server import DevelopmentAuthorizationServer
from broker.plugins import Plugins
from tests.canary import MARKER
from tests.config.surroundings import MINIMAL, load_text
from tests.daemon.running import Daemon
from tests.end_to_end.readers import published
from tests.pages import blocks
from tests.servers.moto import Moto

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "backends" / "aws-secrets-manager.md").read_text()
EXAMPLES = ROOT / "systemd" / "examples"


@pytest.fixture
def server() -> Iterator[DevelopmentAuthorizationServer]:
    """Where the token is minted."""
    with DevelopmentAuthorizationServer(marker=MARKER) as running:
        yield running


def run_command(moto: Moto, command: str, *, stdin: str) -> None:
    """What the AWS CLI does with these words: it names the parameters of the API with dashes."""
    program, service, operation, *options = shlex.split(command)
    assert "aws" == program
    parameters = {}
    for name, value in zip(options[::2], options[1::2], strict=True):
        key = name.removeprefix("--").title().replace("-", "")
        if value.startswith("file://"):
            file = value.removeprefix("file://")
            value = stdin if file == "/dev/stdin" else (EXAMPLES / file).read_text()  # noqa: PLW2901 - as the CLI
        parameters[key] = value
    parameters.pop("Region", None)
    getattr(moto.client(service), operation.replace("-", "_"))(**parameters)


def configuration(moto: Moto, server: DevelopmentAuthorizationServer) -> str:
    """The page's, with the addresses of the test."""
    text = blocks(PAGE, "toml")[0]
    replacements = {
        'region = "eu-west-1"': f'region = "eu-west-1"\nendpoint_url = "{moto.url}"\nallow_insecure_loopback = true',
        "https://acme.outsystems.dev/identity/.well-known/openid-configuration": server.discovery_url,
        "https://acme.outsystems.dev/auth/realms/example": server.issuer,
        '["acme.outsystems.dev"]': '["127.0.0.1"]\nallow_insecure_loopback = true',
    }
    for written, used in replacements.items():
        assert written in text
        text = text.replace(written, used)
    return text


def test_page_leads_from_nothing_to_a_token(
    tmp_path: Path, moto: Moto, server: DevelopmentAuthorizationServer
) -> None:
    """Its commands, then its configuration, in a daemon."""
    moto.reset()
    secret = json.dumps({"client_id": "deploy", "client_secret": server.register("deploy").reveal()})
    for command in blocks(PAGE, "sh")[0].splitlines():
        run_command(moto, command, stdin=secret)
    with Daemon(tmp_path, configuration(moto, server), extra=moto.environment) as daemon:
        daemon.wait_for(state="fresh", condition="ok")
        assert published(daemon, daemon.ask("/v1/tokens/deploy")[1]["access_token"])


@pytest.mark.parametrize("table", blocks(PAGE, "toml")[1:])
def test_every_table_of_the_page_is_without_fault(tmp_path: Path, table: str) -> None:
    """As it stands there, in a table of type aws-secrets-manager."""
    head = '[secret_backends.aws]\ntype = "aws-secrets-manager"\nregion = "eu-west-1"\n'
    config = load_text(tmp_path, f"{MINIMAL}{head}{table}", vocabulary=PluginVocabulary(Plugins()))
    assert "aws" in config.secret_backends


def test_page_shows_every_key() -> None:
    """One without an example would be one that nobody finds."""
    shown = set(re.findall(r"^([a-z_]+) = ", "\n".join(blocks(PAGE, "toml")), re.MULTILINE))
    keys = {"region", "profile", "role_arn", "external_id", "endpoint_url", "use_fips", "use_dualstack"}
    assert keys <= shown
