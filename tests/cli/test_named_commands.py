"""Commands that a message, a page or a unit names can be typed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from broker.cli.completion import commands

ROOT = Path(__file__).parents[2]
PLACES = ("README.md", "broker", "backends", "docs", "helm", "systemd")
AHEAD_OF_THE_PROGRAM = "docs/interface.md"
NAMED = re.compile(r"token-broker (?P<verb>[a-z]+)(?P<options>(?: --[a-z][a-z-]*)+)")


def files() -> Iterator[Path]:
    """All of it that somebody may read."""
    for place in PLACES:
        root = ROOT / place
        yield from [root] if root.is_file() else sorted(root.rglob("*"))


def test_commands_that_we_name_exist() -> None:
    """Whoever follows an error's advice must not meet another error."""
    known = {command.name: {option.name for option in command.options} for command in commands()}
    named = 0
    for path in files():
        if not path.is_file() or path.suffix == ".pyc" or path == ROOT / AHEAD_OF_THE_PROGRAM:
            continue
        for found in NAMED.finditer(path.read_text()):
            named += 1
            options = set(found["options"].split())
            assert options <= known.get(found["verb"], set()), f"{path.relative_to(ROOT)}: {found[0]}"
    assert named > 10
