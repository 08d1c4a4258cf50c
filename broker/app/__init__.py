"""The composition root: the only room that knows everyone. Its doors, each loading only what is behind it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from broker.app.plugin_vocabulary import PluginVocabulary


def run(config_path: Path) -> int:
    """The daemon, until it is told to stop; its exit code. Raises ConfigError, AlreadyRunning."""
    from broker.app.daemon import run as run_daemon

    return run_daemon(config_path)


def once(config_path: Path, names: Sequence[str]) -> int:
    """Mint and publish these managed tokens (none: all) and return the exit code. Raises ConfigError."""
    from broker.app.once import once as mint_once

    return mint_once(config_path, names)


def vocabulary() -> PluginVocabulary:
    """What the installed plug-ins allow the configuration to say."""
    from broker.app.plugin_vocabulary import PluginVocabulary
    from broker.plugins import Plugins

    return PluginVocabulary(Plugins())
