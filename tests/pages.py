"""What a page of the documentation shows: its fenced blocks, so that tests run the very text that people copy."""

from __future__ import annotations

import re


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of one language, from above."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
