"""The recipes of docs/consumers.md, as the page shows them, and the stand-ins that let a test run them.

Owns: finding a section's blocks, and replacing names of the page by those of the test. Refuses to know: what a recipe
is for. A name that is to be replaced and is not there is a fault of the page.
"""

from __future__ import annotations

import grp
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.packaging.project import ROOT

PAGE: Final = (ROOT / "docs" / "consumers.md").read_text()
RUNTIME_DIR: Final = "/run/token-broker"

_SECTION: Final = re.compile(r"^## (.+)\n((?:(?!^## ).*\n)*)", re.MULTILINE)
_BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Recipe:
    """One section: its blocks by language, in the page's order."""

    title: str
    blocks: tuple[tuple[str, str], ...]

    def block(self, language: str, *, replacing: Mapping[str, str] | None = None) -> str:
        """The one block in a language, with each key of `replacing` replaced by its value."""
        (text,) = [text for name, text in self.blocks if name == language]
        for name, stand_in in (replacing or {}).items():
            if name not in text:
                raise LookupError(f"{self.title}: the {language} block does not say {name}")
            text = text.replace(name, stand_in)
        return text

    def files(self, *, replacing: Mapping[str, str] | None = None) -> str:
        """The broker's tables, with a group that this process may give files to."""
        own = grp.getgrgid(os.getegid()).gr_name
        text = self.block("toml", replacing=replacing)
        return re.sub(r'^group = ".*"$', f'group = "{own}"', text, flags=re.MULTILINE)


def recipes() -> dict[str, Recipe]:
    """All sections with blocks, by title."""
    found = {title: tuple(_BLOCK.findall(text)) for title, text in _SECTION.findall(PAGE)}
    return {title: Recipe(title, blocks) for title, blocks in found.items() if blocks}


def recipe(title: str) -> Recipe:
    """One section. KeyError if there is none."""
    return recipes()[title]


def runtime(directory: Path) -> dict[str, str]:
    """The stand-in for the broker's runtime directory."""
    return {RUNTIME_DIR: str(directory)}
