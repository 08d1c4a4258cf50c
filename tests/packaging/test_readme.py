"""The README says what is true: its configurations load, its verbs and options exist, its links lead somewhere."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

import pytest

from broker.app import vocabulary
from broker.config.load import load
from tests.packaging.project import ROOT
from tests.pages import blocks

TEXT = (ROOT / "README.md").read_text()


COMMANDS = [
    words
    for block in blocks(TEXT, "sh")
    for line in block.splitlines()
    if (words := shlex.split(line, comments=True)) and words[0].endswith("token-broker")
]


@pytest.mark.parametrize("block", blocks(TEXT, "toml"))
def test_configuration_loads(block: str, tmp_path: Path) -> None:
    """Every TOML block is a whole configuration without a fault."""
    path = tmp_path / "config.toml"
    path.write_text(block)
    assert load(path, environment={}, vocabulary=vocabulary()).tokens


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_command_is_understood(words: list[str]) -> None:
    """Every `token-broker` line names a verb with options that it has."""
    verb = importlib.import_module(f"broker.cli.{words[1]}")
    assert verb.COMMAND.parse(words[2:]) is not None


def test_make_targets_exist() -> None:
    """Every `make TARGET` of README and CONTRIBUTING is in the Makefile."""
    makefile = (ROOT / "Makefile").read_text()
    named = re.findall(r"\bmake ([a-z-]+)", TEXT + (ROOT / "CONTRIBUTING.md").read_text())
    assert {"dev", "test", "wheel"} <= set(named)
    assert [] == [name for name in named if not re.search(rf"^{name}:", makefile, re.MULTILINE)]


def test_links_lead_somewhere() -> None:
    """Every relative link is a file of the repository."""
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", TEXT) if "://" not in link]
    assert links
    assert [] == [link for link in links if not (ROOT / link).exists()]
