"""docs/backends/vault.md: its commands set a real OpenBao up, and its configuration gets a token from there."""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from broker.app.plugin_vocabulary import PluginVocabulary
from broker.dev.authorization_server import DevelopmentAuthorizationServer
from broker.plugins import Plugins
from tests.canary import MARKER
from tests.config.surroundings import MINIMAL, load_text
from tests.daemon.running import Daemon
from tests.end_to_end.readers import published
from tests.pages import blocks
from tests.servers.openbao import OpenBao, running_openbao

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "backends" / "vault.md").read_text()
EXAMPLES = ROOT / "systemd" / "examples"


@pytest.fixture
def openbao(tmp_path: Path) -> Iterator[OpenBao]:
    """A server with no engine at `secret` and no logins yet, since the page begins there."""
    directory = tmp_path / "openbao"
    directory.mkdir()
    with running_openbao(directory, tls=True) as server:
        for mount in ("sys/mounts/secret", "sys/auth/approle"):
            server.request("DELETE", mount)
        yield server


@pytest.fixture
def server() -> Iterator[DevelopmentAuthorizationServer]:
    """Where the token is minted."""
    with DevelopmentAuthorizationServer(marker=MARKER) as running:
        yield running


def run_commands(openbao: OpenBao, directory: Path, commands: str, *, secret: str = "") -> None:
    """What an operator types, with `bao` in place of `vault`, the secret on its standard input."""
    program = f'set -euo pipefail\nvault() {{ bao "$@"; }}\n{commands}'
    finished = subprocess.run(
        ["bash", "-c", program],
        cwd=directory,
        input=secret,
        env={
            "PATH": f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(directory),
            "BAO_ADDR": openbao.url,
            "BAO_TOKEN": openbao.root_token,
            "BAO_CACERT": str(openbao.ca_file),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 0 == finished.returncode, finished.stderr


def configuration(openbao: OpenBao, server: DevelopmentAuthorizationServer, directory: Path) -> str:
    """The page's, with the addresses and files of the test."""
    text = blocks(PAGE, "toml")[0]
    replacements = {
        "https://vault.example:8200": openbao.url,
        "/etc/ssl/corp.pem": str(openbao.ca_file),
        "/etc/token-broker/": f"{directory}/",
        "https://acme.outsystems.dev/identity/.well-known/openid-configuration": server.discovery_url,
        "https://acme.outsystems.dev/auth/realms/example": server.issuer,
        '["acme.outsystems.dev"]': '["127.0.0.1"]\nallow_insecure_loopback = true',
    }
    for written, used in replacements.items():
        assert written in text
        text = text.replace(written, used)
    return text


@pytest.mark.backends
def test_page_leads_from_nothing_to_a_token(
    tmp_path: Path, openbao: OpenBao, server: DevelopmentAuthorizationServer
) -> None:
    """Its commands, then its configuration, in a daemon; at the end the Vault token is revoked as it says."""
    operator = tmp_path / "operator"
    operator.mkdir()
    (operator / "vault-policy.hcl").write_text((EXAMPLES / "vault-policy.hcl").read_text())
    run_commands(openbao, operator, blocks(PAGE, "sh")[0], secret=server.register("deploy").reveal())
    with Daemon(
        tmp_path, configuration(openbao, server, operator), extra={"CREDENTIALS_DIRECTORY": str(operator)}
    ) as daemon:
        daemon.wait_for(state="fresh", condition="ok", secret_version="1")
        token = daemon.ask("/v1/tokens/deploy")[1]["access_token"]
        assert published(daemon, token)
        revocations = len(openbao.requests("auth/token/revoke-self"))
        assert 0 == daemon.stop()[0]
    assert revocations + 1 == len(openbao.requests("auth/token/revoke-self"))
    assert {""} == {asked.error for asked in openbao.requests("secret/data/odc/deploy")}


@pytest.mark.backends
def test_commands_of_every_login_are_accepted_by_the_server(tmp_path: Path, openbao: OpenBao) -> None:
    """Role by role; the method aws has none here, since OpenBao does not know it."""
    (tmp_path / "vault-policy.hcl").write_text((EXAMPLES / "vault-policy.hcl").read_text())
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "clients-ca.pem"))
    first, *others = blocks(PAGE, "sh")
    run_commands(openbao, tmp_path, first, secret="S3CR3T-page")
    for commands in others:
        run_commands(openbao, tmp_path, commands)
    assert (tmp_path / "secret-id").read_text().startswith("s.")  # a wrapping token


@pytest.mark.parametrize("table", blocks(PAGE, "toml")[1:])
def test_every_table_of_the_page_is_without_fault(tmp_path: Path, table: str) -> None:
    """As it stands there, in a table of type vault."""
    auth = "" if "auth =" in table else 'auth = { method = "jwt", role = "r", jwt_file = "/j" }\n'
    head = '[secret_backends.corp]\ntype = "vault"\nurl = "https://vault.example:8200"\n'
    config = load_text(tmp_path, f"{MINIMAL}{head}{auth}{table}", vocabulary=PluginVocabulary(Plugins()))
    assert "corp" in config.secret_backends


def test_page_shows_every_login() -> None:
    """A method without a table would be one that nobody finds."""
    shown = set(re.findall(r'method = "([a-z_]+)"', PAGE))
    assert {"token_file", "approle", "kubernetes", "jwt", "cert", "aws"} == shown
