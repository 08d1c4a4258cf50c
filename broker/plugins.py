"""Plug-ins by name: which are installed, and the descriptor that a name stands for.

Owns: the lookup in the entry-point groups and every way in which it can fail. Refuses to know: what plug-ins
do. Only what is asked for is imported: a broken package that the configuration does not name does no harm.
A descriptor is held against what it declares before anything is built with it.
"""

from __future__ import annotations

import difflib
import importlib.metadata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import EntryPoint, EntryPoints
from typing import Any, Literal, TypeVar, get_args

import msgspec

from broker.api import (
    API_VERSION,
    Capability,
    ClientAuthPlugin,
    SecretBackendPlugin,
    TokenSinkPlugin,
    missing_methods,
)
from broker.errors import PluginError, PluginUnusable, missing_library

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

_DESCRIPTORS: Mapping[PluginKind, type[SecretBackendPlugin | TokenSinkPlugin | ClientAuthPlugin]] = {
    "secret_backend": SecretBackendPlugin,
    "sink": TokenSinkPlugin,
    "client_auth": ClientAuthPlugin,
}

D = TypeVar("D", bound=SecretBackendPlugin | TokenSinkPlugin | ClientAuthPlugin)


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginInfo:
    """One installed plug-in; `origin` is where its descriptor is defined, as `module:attribute`.

    `problem` says why it cannot be used; its capabilities are not known then.
    """

    name: str
    kind: PluginKind
    distribution: str
    version: str
    origin: str
    capabilities: tuple[Capability, ...] = ()
    problem: str | None = None


class Plugins:
    """The installed plug-ins. Every method raises PluginError only; PluginUnusable if just this one is to blame."""

    def __init__(self, entry_points: Callable[[], EntryPoints] = importlib.metadata.entry_points) -> None:
        self._entry_points = entry_points
        self._loaded: dict[tuple[PluginKind, str], object] = {}
        """What passed its check. Each mint asks for one, and to find out whose a plug-in is takes a millisecond."""

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
        """Everything that is installed; a name claimed twice is there twice. Descriptors are imported for this."""
        return [
            self._described(kind, entry)
            for kind in GROUPS
            for entry in sorted(self._of(kind), key=lambda entry: (entry.name, _distribution(entry)))
        ]

    @cached_property
    def _installed(self) -> Mapping[PluginKind, tuple[EntryPoint, ...]]:
        every = self._entry_points()
        return {kind: tuple(every.select(group=group)) for kind, group in GROUPS.items()}

    def _of(self, kind: PluginKind) -> tuple[EntryPoint, ...]:
        return self._installed[kind]

    def _described(self, kind: PluginKind, entry: EntryPoint) -> PluginInfo:
        capabilities: frozenset[Capability] = frozenset()
        problem = None
        try:
            plugin = self._load(kind, entry.name, _DESCRIPTORS[kind])
            capabilities = getattr(plugin, "capabilities", capabilities)
        except PluginError as error:
            problem = error.message
        return PluginInfo(
            name=entry.name,
            kind=kind,
            distribution=_distribution(entry),
            version=entry.dist.version if entry.dist else _UNKNOWN_DISTRIBUTION,
            origin=entry.value,
            capabilities=tuple(sorted(capabilities)),
            problem=problem,
        )

    def _load(self, kind: PluginKind, name: str, descriptor: type[D]) -> D:
        loaded = self._loaded.get((kind, name))
        if isinstance(loaded, descriptor):
            return loaded
        self._loaded[kind, name] = plugin = self._checked(self._find(kind, name), descriptor)
        return plugin

    def _checked(self, entry: EntryPoint, descriptor: type[D]) -> D:
        what = f"plug-in {entry.name!r} ({entry.value} of {_distribution(entry)})"
        plugin = _imported(entry, what)
        if not isinstance(plugin, descriptor):
            raise PluginUnusable(
                f"{what} is a {type(plugin).__name__}, not a broker.api.{descriptor.__name__}"
            )
        if plugin.api_version != API_VERSION:
            older = "plug-in" if plugin.api_version < API_VERSION else "token-broker"
            versions = f"speaks plug-in API {plugin.api_version}, this broker {API_VERSION}"
            raise PluginUnusable(f"{what} {versions}: update the {older}")
        if isinstance(plugin, SecretBackendPlugin | TokenSinkPlugin) and not _is_struct(plugin.options):
            raise PluginUnusable(f"{what} has no msgspec.Struct as `options`: report it to its author")
        if isinstance(plugin, SecretBackendPlugin) and (mistake := _mistake(plugin)):
            raise PluginUnusable(f"{what} {mistake}: report it to its author")
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


def _imported(entry: EntryPoint, what: str) -> object:
    try:
        return entry.load()
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] == entry.module.partition(".")[0]:
            raise PluginUnusable(f"{what} cannot be imported: there is no module {error.name}") from error
        raise PluginUnusable(f"{what} cannot be imported: it {missing_library(error)}") from error
    except KeyboardInterrupt:
        raise
    except (
        BaseException
    ) as error:  # an import may raise anything, even SystemExit, and the operator must learn what
        said = " ".join(str(error).split())
        raise PluginUnusable(f"{what} cannot be imported: {type(error).__name__}: {said}") from error


def _is_struct(options: object) -> bool:
    return isinstance(options, type) and issubclass(options, msgspec.Struct)


def _mistake(plugin: SecretBackendPlugin) -> str:
    """What a descriptor declares and does not have; where `create` is no class, that is seen when it is called."""
    declared: object = plugin.capabilities
    if not isinstance(declared, frozenset):
        return "has no frozenset as `capabilities`"
    unknown = sorted(map(str, declared - set(get_args(Capability))))
    if unknown:
        return f"declares {', '.join(unknown)}; there are {', '.join(get_args(Capability))}"
    create: Any = plugin.create
    lacking = missing_methods(create, plugin.capabilities) if isinstance(create, type) else ""
    return (
        f"declares {', '.join(sorted(plugin.capabilities)) or 'nothing'} and lacks {lacking}"
        if lacking
        else ""
    )
