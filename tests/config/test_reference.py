"""docs/configuration.md is written from the schema and the plug-ins.

To write it anew: `python -m tests.config.test_reference`.
"""

from __future__ import annotations

from pathlib import Path

from broker.app.plugin_vocabulary import PluginVocabulary
from broker.config.reference import page
from broker.config.schema import Config
from broker.config.settings import fields_of
from broker.plugins import Plugins

INSTALLED = PluginVocabulary(Plugins())
PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_says_what_the_schema_says() -> None:
    """No drift: a key without its line, or a line without its key, fails."""
    assert page(INSTALLED) == PAGE.read_text(encoding="utf-8")


def test_the_page_has_every_table() -> None:
    """Those of the broker and those of the installed plug-ins."""
    text = page(INSTALLED)
    assert all(f"| `{field.encode_name}` |" in text for field in fields_of(Config))
    assert '`[secret_backends.NAME]` with `type = "vault"`' in text
    assert '`auth` with `method = "approle"`' in text
    assert "`[[tokens.NAME.files]]`" in text


def test_every_key_is_explained_or_explains_itself() -> None:
    """A key of ours has a sentence in its docstring."""
    ours = page(INSTALLED).partition("## `[secret_backends.NAME]`")[0]
    assert [] == [line for line in ours.splitlines() if line.startswith("| `") and line.endswith("|  |")]


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(INSTALLED), encoding="utf-8")
