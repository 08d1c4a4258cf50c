"""The recipes of docs/consumers.md, as the page shows them.

Owns: finding a section's blocks. Refuses to know: what a recipe is for, and how it is run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tests.packaging.project import ROOT

PAGE: Final = (ROOT / "docs" / "consumers.md").read_text()

_SECTION: Final = re.compile(r"^## (.+)\n((?:(?!^## ).*\n)*)", re.MULTILINE)
_BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Recipe:
    """One section: its blocks by language, in the page's order."""

    title: str
    blocks: tuple[tuple[str, str], ...]

    @property
    def languages(self) -> set[str]:
        """Of its blocks."""
        return {language for language, _ in self.blocks}

    def block(self, language: str) -> str:
        """The one block in a language; ValueError unless there is exactly one."""
        (text,) = [text for name, text in self.blocks if name == language]
        return text


def recipes() -> dict[str, Recipe]:
    """All sections with blocks, by title."""
    found = {title: tuple(_BLOCK.findall(text)) for title, text in _SECTION.findall(PAGE)}
    return {title: Recipe(title, blocks) for title, blocks in found.items() if blocks}


def recipe(title: str) -> Recipe:
    """One section. KeyError if there is none."""
    return recipes()[title]
