"""A secret backend in memory: paths with versions, and whatever faults a script adds.

Owns: what a read gives. Implements `SecretBackend`. Refuses to know: who reads, and threads: how long a call takes is
asked for by `SimulatedThreads`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import TypeVar

import msgspec

from broker.api import ClientAuthPlugin, PluginContext, SecretBackendPlugin, TokenSinkPlugin
from broker.model import Secret, SecretDocument
from broker.plugins import PluginKind, Plugins

T = TypeVar("T")

Fault = Callable[[], None]
"""Raises a SecretBackendError, or does nothing."""
Pick = Callable[[int], int]
"""From the number of the newest version to that of the one which is answered."""


class SecretStore:
    """One `[secret_backends.NAME]`; a path is a token's name."""

    def __init__(self, name: str, *, rng: random.Random) -> None:
        self.name = name
        self.faults: list[Fault] = []
        self.call_seconds = 0.01
        self.pick: Pick | None = None
        self._rng = rng
        self._secrets: dict[str, list[str]] = {}

    def newest(self, path: str) -> str:
        """What was stored last."""
        return self._secrets[path][-1]

    def store(self, path: str, secret: str) -> bool:
        """Write another version; whether its value is another one."""
        versions = self._secrets.setdefault(path, [])
        versions.append(secret)
        return len(versions) < 2 or versions[-2] != secret

    def read(self, path: str, *, timeout_seconds: float) -> SecretDocument:
        number = self._number(path)
        fields = {"id": Secret(path), "secret": Secret(self._secrets[path][number])}
        return SecretDocument(fields=fields, version=str(number + 1))

    def version(self, path: str, *, timeout_seconds: float) -> str | None:
        return str(self._number(path) + 1)

    def close(self) -> None:
        """Nothing is open."""

    def check(self) -> None:
        """Raise what a fault raises."""
        for fault in tuple(self.faults):
            fault()

    def _number(self, path: str) -> int:
        self.check()
        newest = len(self._secrets[path]) - 1
        return newest if self.pick is None else max(0, self.pick(newest))


class SimulatedThreads:
    """Implements `BlockingRunner` without threads: a call takes as long as its store says."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds

    async def run(self, call: Callable[[], T], *, deadline_seconds: float) -> T:
        """The call, at its end; TimeoutError for one that hangs."""
        seconds = self._seconds()
        if seconds > deadline_seconds:
            await asyncio.sleep(deadline_seconds)
            raise TimeoutError
        await asyncio.sleep(seconds)
        return call()

    def close(self) -> None:
        """Nothing runs."""


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A `[secret_backends.NAME]` table of type "simulated": no keys."""


class SimulatedPlugins:
    """The installed plug-ins, and the secret backend `simulated`."""

    def __init__(self, stores: dict[str, SecretStore]) -> None:
        self._stores = stores
        self._real = Plugins()

    def secret_backend(self, name: str) -> SecretBackendPlugin:
        def create(options: object, context: PluginContext) -> SecretStore:
            self._stores[context.name].check()
            return self._stores[context.name]

        return SecretBackendPlugin(
            options=Options, create=create, capabilities=frozenset({"versions", "cheap_version_check"})
        )

    def sink(self, name: str) -> TokenSinkPlugin:
        """The real one."""
        return self._real.sink(name)

    def client_auth(self, name: str) -> ClientAuthPlugin:
        """The real one."""
        return self._real.client_auth(name)

    def names(self, kind: PluginKind) -> tuple[str, ...]:
        """What may be configured."""
        return ("simulated",) if kind == "secret_backend" else self._real.names(kind)
