"""A backend in memory that keeps every promise, and the contract over it, for subclasses that break one.

Owns: what is kept, and who is denied what. Refuses to know: what gets broken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec
import pytest

from broker import api
from broker.testing.secret_backend_contract import Ability, SecretBackendContract


class Store:
    """Secrets in memory: fields, a whole value, or None for what is no secret."""

    def __init__(self) -> None:
        self.secrets: dict[str, tuple[int, Mapping[str, str] | bytes | None]] = {}
        self.denied: set[str] = set()
        self.asked: list[str] = []

    def put(self, path: str, value: Mapping[str, str] | bytes | None) -> None:
        self.secrets[path] = (self.secrets.get(path, (0, None))[0] + 1, value)


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing to configure."""


class MemoryBackend:
    """Keeps every promise."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def read(self, path: str, *, timeout_seconds: float) -> api.SecretDocument:
        number, value = self.found(path)
        self.store.asked.append(path)
        if isinstance(value, bytes):
            return api.SecretDocument.of_bytes(value, version=str(number))
        if value is None:
            raise api.SecretMalformed(f"{path}: is no secret")
        return api.SecretDocument(fields=self.fields(value), version=str(number))

    def version(self, path: str, *, timeout_seconds: float) -> str | None:
        return str(self.found(path)[0])

    def read_many(
        self, paths: Sequence[str], *, timeout_seconds: float
    ) -> Mapping[str, api.SecretDocument | api.SecretBackendError]:
        return {path: self.outcome(path, timeout_seconds) for path in paths}

    def close(self) -> None: ...

    def outcome(self, path: str, timeout_seconds: float) -> api.SecretDocument | api.SecretBackendError:
        try:
            return self.read(path, timeout_seconds=timeout_seconds)
        except api.SecretBackendError as error:
            return error

    def found(self, path: str) -> tuple[int, Mapping[str, str] | bytes | None]:
        if path in self.store.denied:
            raise api.SecretAccessDenied(f"{path}: denied")
        if path not in self.store.secrets:
            raise api.SecretNotFound(f"{path}: not found")
        return self.store.secrets[path]

    def fields(self, value: Mapping[str, str]) -> dict[str, api.Secret]:
        return {name: api.Secret(text) for name, text in value.items()}


class Memory(SecretBackendContract):
    """The contract over `MemoryBackend`; a subclass breaks `Backend` or an attribute."""

    module = "light"
    abilities: ClassVar[frozenset[Ability]] = frozenset({"versions", "whole", "deny", "spoil", "count"})
    Backend: ClassVar[type[Any]] = MemoryBackend
    options_struct: ClassVar[type[Any]] = Options
    capabilities: ClassVar[frozenset[api.Capability]] = frozenset(
        {"versions", "cheap_version_check", "batch"}
    )
    breaks: ClassVar[str] = ""
    plugin = api.SecretBackendPlugin(
        options=Options,
        create=lambda *_: MemoryBackend(Store()),  # replaced for each test
        capabilities=frozenset({"versions", "cheap_version_check", "batch"}),
    )

    @pytest.fixture(autouse=True)
    def _prepared(self) -> None:
        self.store = Store()
        self.plugin = api.SecretBackendPlugin(  # type: ignore[misc]  # this test's own
            options=self.options_struct,
            create=lambda *_: self.Backend(self.store),
            capabilities=self.capabilities,
        )

    def options(self) -> Mapping[str, Any]:
        return {}

    def put(self, path: str, fields: Mapping[str, str]) -> None:
        self.store.put(path, fields)

    def put_whole(self, path: str, value: bytes) -> None:
        self.store.put(path, value)

    def deny(self, path: str) -> None:
        self.store.denied.add(path)

    def spoil(self, path: str) -> None:
        self.store.put(path, None)

    def reads(self, path: str) -> int:
        return self.store.asked.count(path)
