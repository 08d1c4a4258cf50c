"""Backends in memory: one keeps every promise of the contract, each of the others breaks one.

Owns: the breaking, as little of it as possible. Not collected by itself: `test_bites` runs it and expects each class to
fail what its `breaks` names, and nothing else.
"""

# ruff: noqa: D106 - what is wrong with a backend is the name of its class

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from broker import api
from tests.contract.bites.keeping import Memory, MemoryBackend, Store


class LenientOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Forgives any key."""


class TestGood(Memory):
    breaks = ""


class TestText(Memory):
    breaks = "test_read_returns_what_the_port_says"

    class Backend(MemoryBackend):
        def read(self, path: str, *, timeout_seconds: float) -> api.SecretDocument:
            found = super().read(path, timeout_seconds=timeout_seconds)
            whole: Any = found.whole or "no Secret"
            return api.SecretDocument(fields=found.fields, whole=whole, version=found.version)


class TestStripping(Memory):
    breaks = "test_every_character_comes_back"

    class Backend(MemoryBackend):
        def fields(self, value: Mapping[str, str]) -> dict[str, api.Secret]:
            return {name: api.Secret(text.strip()) for name, text in value.items()}


class TestTextOnly(Memory):
    breaks = "test_every_byte_of_a_whole_value_comes_back"

    class Backend(MemoryBackend):
        def read(self, path: str, *, timeout_seconds: float) -> api.SecretDocument:
            found = super().read(path, timeout_seconds=timeout_seconds)
            if found.whole is None:
                return found
            text = found.whole.reveal_bytes().decode(errors="replace")
            return api.SecretDocument(fields=found.fields, whole=api.Secret(text), version=found.version)


class TestAbsenceIsUnavailable(Memory):
    breaks = "test_missing_path_is_not_found"

    class Backend(MemoryBackend):
        def read(self, path: str, *, timeout_seconds: float) -> api.SecretDocument:
            if path not in self.store.secrets:
                raise api.SecretBackendUnavailable(f"{path}: not found")
            return super().read(path, timeout_seconds=timeout_seconds)

        def read_many(
            self, paths: Sequence[str], *, timeout_seconds: float
        ) -> Mapping[str, api.SecretDocument | api.SecretBackendError]:
            return {path: self.outcome(path, timeout_seconds) for path in paths if path in self.store.secrets}


class TestAbsenceHasAVersion(Memory):
    breaks = "test_missing_path_has_no_version"

    class Backend(MemoryBackend):
        def version(self, path: str, *, timeout_seconds: float) -> str | None:
            return (
                super().version(path, timeout_seconds=timeout_seconds) if path in self.store.secrets else None
            )


class TestDenialIsAbsence(Memory):
    breaks = "test_denied_path_is_told_apart_from_a_missing_one"

    class Backend(MemoryBackend):
        def found(self, path: str) -> tuple[int, Mapping[str, str] | bytes | None]:
            if path in self.store.denied:
                raise api.SecretNotFound(f"{path}: not found")
            return super().found(path)


class TestMalformedIsUnavailable(Memory):
    breaks = "test_what_is_no_secret_is_malformed"

    class Backend(MemoryBackend):
        def found(self, path: str) -> tuple[int, Mapping[str, str] | bytes | None]:
            number, value = super().found(path)
            if value is None:
                raise api.SecretBackendUnavailable(f"{path}: strange")
            return number, value


class TestBatchOfOne(Memory):
    breaks = "test_batch_gives_each_path_what_a_read_gives"

    class Backend(MemoryBackend):
        def read_many(
            self, paths: Sequence[str], *, timeout_seconds: float
        ) -> Mapping[str, api.SecretDocument | api.SecretBackendError]:
            return dict.fromkeys(paths, self.outcome(paths[0], timeout_seconds))


class TestTwoKindsOfVersions(Memory):
    breaks = "test_read_and_version_agree"

    class Backend(MemoryBackend):
        def version(self, path: str, *, timeout_seconds: float) -> str | None:
            return f"v{super().version(path, timeout_seconds=timeout_seconds)}"


class TestConstantVersion(Memory):
    breaks = "test_version_changes_with_the_secret_and_only_then"

    class Backend(MemoryBackend):
        def found(self, path: str) -> tuple[int, Mapping[str, str] | bytes | None]:
            return 1, super().found(path)[1]


class TestReadingTwice(Memory):
    breaks = "test_read_is_one_request"

    class Backend(MemoryBackend):
        def read(self, path: str, *, timeout_seconds: float) -> api.SecretDocument:
            super().read(path, timeout_seconds=timeout_seconds)
            return super().read(path, timeout_seconds=timeout_seconds)


class TestVersionByReading(Memory):
    breaks = "test_cheap_version_check_reads_no_value"

    class Backend(MemoryBackend):
        def version(self, path: str, *, timeout_seconds: float) -> str | None:
            return self.read(path, timeout_seconds=timeout_seconds).version if self.found(path)[1] else None


class TestOneAtATime(Memory):
    breaks = "test_sixteen_threads_read_the_same"

    class Backend(MemoryBackend):
        def __init__(self, store: Store) -> None:
            super().__init__(store)
            self._busy = threading.Lock()

        def read(self, path: str, *, timeout_seconds: float) -> api.SecretDocument:
            if not self._busy.acquire(blocking=False):
                raise api.SecretBackendUnavailable(f"{path}: busy")
            try:
                threading.Event().wait(0.05)
                return super().read(path, timeout_seconds=timeout_seconds)
            finally:
                self._busy.release()


class TestClosingOnce(Memory):
    breaks = "test_close_may_be_repeated"

    class Backend(MemoryBackend):
        def __init__(self, store: Store) -> None:
            super().__init__(store)
            self._open = True

        def close(self) -> None:
            if not self._open:
                raise api.SecretBackendUnavailable("closed already")
            self._open = False


class TestDeadAfterClose(Memory):
    breaks = "test_read_after_close_is_answered"

    class Backend(MemoryBackend):
        def close(self) -> None:
            self.store = None  # type: ignore[assignment]  # so that a read ends in an AttributeError


class TestLogging(Memory):
    breaks = "test_nothing_secret_is_shown"

    class Backend(MemoryBackend):
        def fields(self, value: Mapping[str, str]) -> dict[str, api.Secret]:
            logging.getLogger("acme").debug("found %s", value)
            return super().fields(value)


class TestPrinting(Memory):
    breaks = "test_nothing_secret_is_shown"

    class Backend(MemoryBackend):
        def fields(self, value: Mapping[str, str]) -> dict[str, api.Secret]:
            print(value)  # noqa: T201 - it is what is wrong with it
            return super().fields(value)


class TestQuoting(Memory):
    breaks = "test_nothing_secret_is_shown"

    class Backend(MemoryBackend):
        def found(self, path: str) -> tuple[int, Mapping[str, str] | bytes | None]:
            try:
                return super().found(path)
            except api.SecretAccessDenied:
                raise api.SecretAccessDenied(f"{path}: {self.store.secrets[path]} is denied") from None


class TestLenientOptions(Memory):
    breaks = "test_unknown_option_is_rejected"
    options_struct = LenientOptions


class TestDeclaringHalf(Memory):
    breaks = "test_capabilities_are_true"
    capabilities = frozenset({"cheap_version_check"})


class TestHeavy(Memory):
    breaks = "test_descriptor_loads_no_heavy_module"
    module = "heavy"
    heavy_modules = ("sqlite3",)


class TestNosy(Memory):
    breaks = "test_broker_api_is_all_that_is_imported_from_us"
    module = "nosy"
