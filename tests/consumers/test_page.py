"""docs/consumers.md says what is run: its configurations load, and each recipe has its consumer."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from broker.app import vocabulary
from broker.config.load import load
from tests.consumers.consumers import CONSUMERS
from tests.consumers.page import PAGE, Recipe, recipes
from tests.packaging.project import ROOT

BROKER = """
[authorization_servers.odc]
token_endpoint = "https://idp.example/token"
issuer = "https://idp.example"

[tokens.deploy]
authorization_server = "odc"
client_id = "deploy"
client_secret = { backend = "local", path = "deploy", field = "client_secret" }

[secret_backends.local]
type = "file"
directory = "/etc/token-broker/secrets"
"""


class EveryGroup:
    """A system on which whoever the page names exists."""

    def uid(self, user: str) -> int | None:
        return 1000

    def gid(self, group: str) -> int | None:
        return 1000


PUBLISHING = [recipe for recipe in recipes().values() if "toml" in recipe.languages]


@pytest.mark.parametrize("recipe", PUBLISHING, ids=lambda recipe: recipe.title)
def test_files_load(recipe: Recipe, tmp_path: Path) -> None:
    """The tables follow a managed token, and have no fault as they stand."""
    path = tmp_path / "config.toml"
    path.write_text(BROKER + recipe.block("toml"))
    configuration = load(path, environment={}, vocabulary=vocabulary(), accounts=EveryGroup())
    assert 1 == len(configuration.tokens["deploy"].files)


def test_every_recipe_is_run() -> None:
    """And nothing is run that the page does not show."""
    assert {consumer.title for consumer in CONSUMERS} == set(recipes())


def test_links_lead_somewhere() -> None:
    """To a file of the repository, or to a section of the page."""
    titles = re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}
    links = re.findall(r"\]\(([^)]+)\)", PAGE)
    assert links
    assert [] == [
        link
        for link in links
        if not (link[1:] in anchors if link.startswith("#") else (ROOT / "docs" / link).exists())
    ]
