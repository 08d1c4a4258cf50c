"""Plug-ins that are installed and cannot be used.

Owns: where the configuration names them, and when that is a fault. Refuses to know: what is wrong with them. Such a
plug-in takes down only what uses it: a library that an upgrade broke must not end the tokens that do without it. A
configuration none of whose tokens can ever be minted is a fault.
"""

from __future__ import annotations

from collections.abc import Iterator

from broker.config.faults import Faults, item, join
from broker.config.schema import Config, PluginTable, TokenTable, UnusablePlugin
from broker.errors import Fault
from broker.options import SecretRef


def unusable(config: Config) -> tuple[Fault, ...]:
    """Each table whose plug-in cannot be used, with the reason."""
    return tuple(
        Fault(f"{at}.type", table.options.message)
        for at, table in _tables(config)
        if isinstance(table.options, UnusablePlugin)
    )


def check(config: Config, faults: Faults) -> None:
    """Adds them as faults if every token depends on one."""
    dead = {
        name for name, table in config.secret_backends.items() if isinstance(table.options, UnusablePlugin)
    }
    if config.tokens and all(_depends(token, dead) for token in config.tokens.values()):
        for fault in unusable(config):
            faults.add(fault.path, fault.message)


def _depends(token: TokenTable, dead: set[str]) -> bool:
    """Whether it can have no credentials without these backends; one of several client secrets is enough."""
    if isinstance(token.client_id, SecretRef) and token.client_id.backend in dead:
        return True
    secrets = {reference.backend for reference in token.client_secrets}
    return bool(secrets) and secrets <= dead


def _tables(config: Config) -> Iterator[tuple[str, PluginTable]]:
    for name, table in config.secret_backends.items():
        yield join("secret_backends", name), table
    for name, token in config.tokens.items():
        for index, table in enumerate(token.sinks):
            yield item(f"{join('tokens', name)}.sinks", index), table
