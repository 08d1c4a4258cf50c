"""Plug-ins by name: which are installed, and the descriptor that a name stands for.

Owns: the lookup in the entry-point groups and every way in which it can fail. Refuses to know: what plug-ins
do. Only what is asked for is imported: a broken package that the configuration does not name does no harm.
"""

from __future__ import annotations

import difflib
import importlib.metadata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import EntryPoint, EntryPoints
from typing import Literal, TypeVar

from broker.api import API_VERSION, ClientAuthPlugin, SecretBackendPlugin, TokenSinkPlugin
from broker.errors import PluginError

PluginKind = Literal["secret_backend", "sink", "client_auth"]

GROUPS: Mapping[PluginKind, str] = {
    "secret_backend": "token_broker.secret_backends",
    "sink": "token_broker.sinks",
    "client_auth": "token_broker.client_auth",
}
_WORDS: Mapping[PluginKind, str] = {
    "secret_backend": "secret backend",
    "sink": "sink",
    "client_auth": "client authentication method",
}
_UNKNOWN_DISTRIBUTION = "?"

D = TypeVar("D", SecretBackendPlugin, TokenSinkPlugin, ClientAuthPlugin)


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginInfo:
    """One installed plug-in; `origin` is where its descriptor is defined, as `module:attribute`."""

    name: str
    kind: PluginKind
    distribution: str
    version: str
    origin: str


class Plugins:
    """The installed plug-ins. Every method raises PluginError only."""

    def __init__(self, entry_points: Callable[[], EntryPoints] = importlib.metadata.entry_points) -> None:
        self._entry_points = entry_points

    def secret_backend(self, name: str) -> SecretBackendPlugin:
        """The descriptor of `type = "name"` in a `[secret_backends.*]` table."""
        return self._load("secret_backend", name, SecretBackendPlugin)

    def sink(self, name: str) -> TokenSinkPlugin:
        """The descriptor of `type = "name"` in a `[[tokens.*.sinks]]` table."""
        return self._load("sink", name, TokenSinkPlugin)

    def client_auth(self, name: str) -> ClientAuthPlugin:
        """The descriptor of `token_endpoint_auth_method = "name"`."""
        return self._load("client_auth", name, ClientAuthPlugin)

    def names(self, kind: PluginKind) -> tuple[str, ...]:
        """The installed names of one kind, sorted."""
        return tuple(sorted({entry.name for entry in self._of(kind)}))

    def describe(self) -> list[PluginInfo]:
        """Everything that is installed, without importing it; a name claimed twice is there twice."""
        return [
            PluginInfo(
                name=entry.name,
                kind=kind,
                distribution=_distribution(entry),
                version=entry.dist.version if entry.dist else _UNKNOWN_DISTRIBUTION,
                origin=entry.value,
            )
            for kind in GROUPS
            for entry in sorted(self._of(kind), key=lambda entry: (entry.name, _distribution(entry)))
        ]

    @cached_property
    def _installed(self) -> Mapping[PluginKind, tuple[EntryPoint, ...]]:
        every = self._entry_points()
        return {kind: tuple(every.select(group=group)) for kind, group in GROUPS.items()}

    def _of(self, kind: PluginKind) -> tuple[EntryPoint, ...]:
        return self._installed[kind]

    def _load(self, kind: PluginKind, name: str, descriptor: type[D]) -> D:
        entry = self._find(kind, name)
        what = f"{_WORDS[kind]} {name!r} ({entry.value} of {_distribution(entry)})"
        try:
            plugin = entry.load()
        except Exception as error:  # an import may raise anything, and the operator must learn what
            raise PluginError(f"{what} cannot be imported: {type(error).__name__}: {error}") from error
        if not isinstance(plugin, descriptor):
            raise PluginError(f"{what} is a {type(plugin).__name__}, not a broker.api.{descriptor.__name__}")
        if plugin.api_version != API_VERSION:
            older = "plug-in" if plugin.api_version < API_VERSION else "token-broker"
            versions = f"speaks plug-in API {plugin.api_version}, this broker {API_VERSION}"
            raise PluginError(f"{what} {versions}: update the {older}")
        return plugin

    def _find(self, kind: PluginKind, name: str) -> EntryPoint:
        matches = [entry for entry in self._of(kind) if entry.name == name]
        if not matches:
            raise PluginError(self._unknown(kind, name))
        if len(matches) > 1:
            claimants = " and ".join(sorted(_distribution(entry) for entry in matches))
            raise PluginError(
                f"{_WORDS[kind]} {name!r} is installed twice, by {claimants}: uninstall one of them"
            )
        return matches[0]

    def _unknown(self, kind: PluginKind, name: str) -> str:
        names = self.names(kind)
        near = difflib.get_close_matches(name, names, n=1)
        hint = f" did you mean {near[0]!r}?" if near else ""
        return f"unknown {_WORDS[kind]} {name!r};{hint} installed: {', '.join(names) or 'none'}"


def _distribution(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else _UNKNOWN_DISTRIBUTION
