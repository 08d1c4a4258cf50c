"""docs/backends/file.md: each configuration of the page gets a token, with its secrets laid out as the page says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.canary import MARKER
from tests.contract.file.writing import mount, write
from tests.daemon.running import Daemon
from tests.pages import blocks

PAGE = (Path(__file__).parents[3] / "docs" / "backends" / "file.md").read_text()
CONFIGURATIONS = blocks(PAGE, "toml")

Place = Callable[[Path, str], None]


@pytest.fixture
def server() -> Iterator[DevelopmentAuthorizationServer]:
    """Tokens and secrets of this server carry the canary."""
    with DevelopmentAuthorizationServer(marker=MARKER) as running:
        yield running


def in_json(directory: Path, secret: str) -> None:
    """Write the page's JSON file with this secret, as it tells to replace one."""
    found = re.search(r"^```json\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None
    new = write(directory / "deploy.json.new", json.dumps({**json.loads(found[1]), "client_secret": secret}))
    new.replace(directory / "deploy.json")


def as_credential(directory: Path, secret: str) -> None:
    """Write what systemd does, with the newline that people leave at the end."""
    write(directory / "deploy-secret.new", secret + "\n").replace(directory / "deploy-secret")


def as_volume(directory: Path, secret: str) -> None:
    """Swap in a generation of its own."""
    mount(directory, secret[-8:], client_id="deploy", client_secret=secret)


def pointed(configuration: str, directory: Path, server: DevelopmentAuthorizationServer) -> str:
    """Answer a configuration of the page with this machine's names of places and hosts."""
    tables = re.sub(r'directory = "/etc/[a-z/-]+"', f'directory = "{directory}"', configuration)
    tables = tables.replace(
        'issuer = "https://tenant.example"',
        f'token_endpoint = "{server.token_endpoint}"\nallow_insecure_loopback = true',
    )
    return tables.replace(
        "[tokens.deploy]\n", '[tokens.deploy]\nmin_lifetime = "1s"\npoll_secret_version = "1s"\n'
    )


@pytest.mark.parametrize(
    ("configuration", "place"),
    list(zip(CONFIGURATIONS, (in_json, as_credential, as_volume), strict=True)),
    ids=["directory", "credentials", "volume"],
)
def test_configuration_of_the_page_gets_tokens(
    configuration: str, place: Place, tmp_path: Path, server: DevelopmentAuthorizationServer
) -> None:
    """From a daemon, before and after a rotation; only the names of places and hosts are this machine's."""
    directory = tmp_path / "secrets"
    directory.mkdir(mode=0o700)
    place(directory, server.register("deploy").reveal())
    with Daemon(
        tmp_path, pointed(configuration, directory, server), extra={"CREDENTIALS_DIRECTORY": str(directory)}
    ) as daemon:
        first = daemon.wait_for(state="fresh", revision=1)
        place(directory, server.rotate("deploy").reveal())
        second = daemon.wait_for(state="fresh", revision=2)
        assert first["secret_version"] != second["secret_version"]
        assert 0 == daemon.stop()[0]
    assert [] == [
        line["message"] for line in daemon.lines("life_cycle") if "secret backend" in line["message"]
    ]


def test_volume_that_everybody_can_read_is_used_and_told_once(
    tmp_path: Path, server: DevelopmentAuthorizationServer
) -> None:
    """As the kubelet mounts it: 0644 in a directory that is open to all, with the sticky bit."""
    directory = tmp_path / "secrets"
    directory.mkdir()
    directory.chmod(0o1777)
    as_volume(directory, server.register("deploy").reveal())
    for file in directory.glob("..*/*"):
        file.chmod(0o644)
    with Daemon(tmp_path, pointed(CONFIGURATIONS[2], directory, server)) as daemon:
        daemon.wait_for(state="fresh", revision=1)
        for revision in (2, 3):
            daemon.ask("/v1/tokens/deploy/renew?wait=10s", "POST")
            daemon.wait_for(state="fresh", revision=revision)
    told = [line["message"] for line in daemon.lines("life_cycle") if "secret backend" in line["message"]]
    assert sorted(told) == [
        f"secret backend mounted: {directory}/{name} can be read by everybody (mode 0644): "
        "chmod o-r, or make it 0600 where it is mounted"
        for name in ("client_id", "client_secret")
    ]
