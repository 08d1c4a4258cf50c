"""The one import for plug-in authors.

Owns: the plug-in descriptors and the names that a secret backend, a sink or a client authentication method needs.
Refuses to know: the daemon. A plug-in's entry point resolves to one of the descriptors below; the module that
defines it imports nothing heavy (libraries are loaded inside `create`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from broker.errors import (
    Fault,
    HookError,
    SecretAccessDenied,
    SecretBackendError,
    SecretBackendUnavailable,
    SecretMalformed,
    SecretNotFound,
    SinkError,
)
from broker.events import BackendLogin, Event, LifeCycle
from broker.model import AccessToken, Client, Moment, Publication, Revision, Secret, SecretDocument
from broker.options import (
    Duration,
    FileMode,
    FilePath,
    GroupName,
    HttpUrl,
    InputDirectory,
    InputFile,
    SecretRef,
)
from broker.ports import BatchSecretBackend, ChangeHook, Observer, SecretBackend, TokenSink

API_VERSION = 1

Capability = Literal["versions", "cheap_version_check", "batch", "expiry"]
"""What a secret backend may declare. Nothing is ever found out by trying.

versions: documents tell one. cheap_version_check: `version` tells it without reading the value, and is asked.
batch: `read_many` reads what several tokens want at the same moment in one call, and is asked.
expiry: a read brings what the store keeps beside a secret, its expiry date for instance, as fields too.
"""
METHODS_OF_CAPABILITIES: Mapping[Capability, str] = {"batch": "read_many", "cheap_version_check": "version"}
"""The methods that are called only where the capability is declared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginContext:
    """What a plug-in is told about its place: its configured name and where to report events."""

    name: str
    observer: Observer


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretBackendPlugin:
    """Entry-point group `token_broker.secret_backends`.

    `options` is a msgspec.Struct (frozen, kw_only) whose fields are the keys of the `[secret_backends.NAME]` table
    besides `type`; `create` builds a backend from it and is called in a worker thread; `check` may add faults that
    types cannot express, with paths relative to the table.
    """

    options: type[Any]
    create: Callable[[Any, PluginContext], SecretBackend]
    check: Callable[[Any], tuple[Fault, ...]] = lambda _: ()
    capabilities: frozenset[Capability] = frozenset()
    api_version: int = API_VERSION


def missing_methods(backend: object, capabilities: frozenset[Capability]) -> str:
    """What a backend, or its class, lacks to be one with these capabilities, in words; empty if nothing."""
    declared = (
        method for capability, method in METHODS_OF_CAPABILITIES.items() if capability in capabilities
    )
    names = [name for name in ("read", "close", *declared) if not callable(getattr(backend, name, None))]
    return " and ".join(f"{name}()" for name in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSinkPlugin:
    """Entry-point group `token_broker.sinks`.

    `options` is a msgspec.Struct (frozen, kw_only) whose fields are the keys of the `[[tokens.NAME.sinks]]` table
    besides `type`; one named `on_expiry` ("keep" or "remove") decides whether an expired token is withdrawn. `create`
    builds a sink from it, in the thread that goes on to call it. `target` names what a sink with these
    options writes to, for messages. `hook` makes what is called after a `publish` that answered True; None where the
    options ask for nothing. `check` may add faults, with paths relative to the table. All but `create` are pure.

    `rest` is for sinks that write to more places than their target. It is given the options of a sink that a reload
    ends and those of all sinks of this type that its token has from then on, and answers the options of a sink that
    would withdraw what none of these goes on to write; None if that is nothing. Without it a sink leaves all of what
    it wrote, or nothing where another one has its target.
    """

    options: type[Any]
    create: Callable[[Any, PluginContext], TokenSink]
    target: Callable[[Any], str]
    check: Callable[[Any], tuple[Fault, ...]] = lambda _: ()
    hook: Callable[[Any], ChangeHook | None] = lambda _: None
    rest: Callable[[Any, tuple[Any, ...]], Any | None] | None = None
    api_version: int = API_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientAuthentication:
    """What a client authentication method adds to an access token request."""

    form: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientAuthPlugin:
    """Entry-point group `token_broker.client_auth`, named by the registered `token_endpoint_auth_method` value.

    `authenticate` is pure; it raises SecretMalformed for a credential that the method cannot carry.
    """

    authenticate: Callable[[Client], ClientAuthentication]
    api_version: int = API_VERSION


__all__ = [
    "API_VERSION",
    "AccessToken",
    "BackendLogin",
    "BatchSecretBackend",
    "Capability",
    "ChangeHook",
    "Client",
    "ClientAuthPlugin",
    "ClientAuthentication",
    "Duration",
    "Event",
    "Fault",
    "FileMode",
    "FilePath",
    "GroupName",
    "HookError",
    "HttpUrl",
    "InputDirectory",
    "InputFile",
    "LifeCycle",
    "Moment",
    "Observer",
    "PluginContext",
    "Publication",
    "Revision",
    "Secret",
    "SecretAccessDenied",
    "SecretBackend",
    "SecretBackendError",
    "SecretBackendPlugin",
    "SecretBackendUnavailable",
    "SecretDocument",
    "SecretMalformed",
    "SecretNotFound",
    "SecretRef",
    "SinkError",
    "TokenSink",
    "TokenSinkPlugin",
]
