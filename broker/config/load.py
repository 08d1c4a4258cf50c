"""A configuration from its files, or every fault in it.

Owns: the order: documents, decoding, rules. Refuses to know: what any of them checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from broker.config import includes, rules
from broker.config.accounts import Accounts, SystemAccounts
from broker.config.decode import decode
from broker.config.faults import Faults
from broker.config.places import directory_entry
from broker.config.schema import Config
from broker.config.vocabulary import Vocabulary
from broker.errors import ConfigError


def load(
    path: Path,
    *,
    environment: Mapping[str, str],
    vocabulary: Vocabulary,
    accounts: Accounts | None = None,
) -> Config:
    """The configuration at `path` and in what it includes. Raises ConfigError with every fault."""
    faults, config = Faults(), None
    who = accounts or SystemAccounts()
    tree = includes.read(path, faults)
    if tree is not None:
        config = decode(
            tree,
            environment=environment,
            working_dir=str(Path.cwd()),
            vocabulary=vocabulary,
            accounts=who,
            faults=faults,
        )
        rules.check(config, vocabulary=vocabulary, accounts=who, place=directory_entry, faults=faults)
    found = faults.all()
    if found or config is None:
        raise ConfigError(found)
    return config
