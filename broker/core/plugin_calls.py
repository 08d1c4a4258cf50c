"""Calls into a secret backend's plug-in, and what comes back held against what was promised.

Owns: the words for a plug-in's mistakes: which plug-in, which method, what was expected. Refuses to know: threads,
deadlines, and what the values are; none of them is ever told.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from broker.api import Capability, missing_methods
from broker.errors import (
    SecretBackendError,
    SecretBackendUnavailable,
    SecretBackendUnusable,
    missing_library,
)
from broker.model import Secret, SecretDocument

T = TypeVar("T")


class PluginCalls:
    """What a plug-in's code may do, and its mistakes as our errors. `plugin` is the `type` of the configuration."""

    def __init__(self, *, backend: str, plugin: str) -> None:
        self._who = f"secret backend {backend}: plug-in {plugin!r}"

    def build(self, create: Callable[[], T], capabilities: frozenset[Capability]) -> T:
        """The backend that `create` gives. Raises SecretBackendError only."""
        backend = self._called("create", create)
        lacking = self._called("create", lambda: missing_methods(backend, capabilities))
        if lacking:
            raise SecretBackendUnusable(
                f"{self._who} made a {type(backend).__name__} without {lacking}: report it to its author"
            )
        return backend

    def document(self, call: Callable[[], object]) -> SecretDocument:
        """What `read` returns. Raises SecretBackendError only."""
        return self._called("read", lambda: self._checked("read", call()))

    def documents(
        self, call: Callable[[], object], paths: Collection[str]
    ) -> dict[str, SecretDocument | SecretBackendError]:
        """What `read_many` returns for these paths. Raises SecretBackendError only."""
        return self._called("read_many", lambda: self._outcomes(call(), paths))

    def version(self, call: Callable[[], object]) -> str | None:
        """What `version` returns. Raises SecretBackendError only."""
        answer = self._called("version", call)
        if not isinstance(answer, str | None):
            raise self._wrong("version", answer, "a str or None")
        return answer

    def _outcomes(
        self, answer: object, paths: Collection[str]
    ) -> dict[str, SecretDocument | SecretBackendError]:
        if not isinstance(answer, Mapping):
            raise self._wrong("read_many", answer, "a mapping of paths to outcomes")
        outcomes: list[tuple[object, object]] = list(answer.items())
        found: dict[str, SecretDocument | SecretBackendError] = {}
        for path, outcome in outcomes:
            if not isinstance(path, str) or path not in paths:
                raise self._bug("returned a path from read_many() that it was not asked for")
            error = outcome if isinstance(outcome, SecretBackendError) else None
            found[path] = error or self._checked("read_many", outcome)
        return found

    def _checked(self, method: str, answer: object) -> SecretDocument:
        if not isinstance(answer, SecretDocument):
            raise self._wrong(method, answer, "a broker.api.SecretDocument")
        if not isinstance(answer.fields, Mapping):
            raise self._wrong(method, answer.fields, "a mapping of names to broker.api.Secret as `fields`")
        fields: list[tuple[object, object]] = list(answer.fields.items())
        for name, value in fields:
            if not isinstance(name, str) or not isinstance(value, Secret):
                raise self._wrong(method, value, "a broker.api.Secret under each name in `fields`")
        if not isinstance(answer.whole, Secret | None):
            raise self._wrong(method, answer.whole, "a broker.api.Secret or None as `whole`")
        if not isinstance(answer.version, str | None):
            raise self._wrong(method, answer.version, "a str or None as `version`")
        return answer

    def _called(self, method: str, call: Callable[[], T]) -> T:
        try:
            return call()
        except SecretBackendError:
            raise
        except ImportError as error:
            failure: SecretBackendError = SecretBackendUnusable(f"{self._who} {missing_library(error)}")
        except BaseException as error:  # noqa: BLE001 - a plug-in may raise anything, SystemExit too
            failure = self._bug(f"raised {type(error).__name__} in {method}()")
        raise failure  # not inside the handler: the plug-in's error may quote a value, and would be its context

    def _wrong(self, method: str, answer: object, expected: str) -> SecretBackendUnavailable:
        return self._bug(f"returned {type(answer).__name__} from {method}(), which promises {expected}")

    def _bug(self, what: str) -> SecretBackendUnavailable:
        """It is asked again all the same: what is a bug today may be an upstream's odd answer."""
        return SecretBackendUnavailable(f"{self._who} {what}: report it to its author", code="plugin_bug")
