"""A secret backend in memory, for tests of what uses one.

Owns: documents, numbered versions, failures on demand, a count of the calls. Refuses to know: any real store.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from broker.api import Secret, SecretAccessDenied, SecretBackendError, SecretDocument, SecretNotFound


class MemorySecretBackend:
    """Implements `broker.ports.SecretBackend`; thread-safe."""

    def __init__(self) -> None:
        self._documents: dict[str, SecretDocument] = {}
        self._written = 0
        self._failure: SecretBackendError | None = None
        self._versions_hidden = False
        self._lagging: dict[str, SecretDocument] = {}
        self._lock = threading.Lock()
        self.reads: list[str] = []
        self.version_checks: list[str] = []
        self.closed = False

    def put(self, path: str, fields: Mapping[str, str], *, whole: bytes | None = None) -> str:
        """Store the next version of a secret; answers its identity."""
        with self._lock:
            self._written += 1
            version = str(self._written)
            self._documents[path] = SecretDocument(
                fields={name: Secret(value) for name, value in fields.items()},
                whole=None if whole is None else Secret(whole),
                version=version,
            )
            return version

    def remove(self, path: str) -> None:
        """From now on there is nothing at this path."""
        with self._lock:
            self._documents.pop(path, None)

    def fail(self, error: SecretBackendError | None) -> None:
        """Every call raises this from now on; None heals."""
        with self._lock:
            self._failure = error

    def restore(self, path: str, document: SecretDocument) -> None:
        """An operator puts an earlier version in force again."""
        with self._lock:
            self._documents[path] = document

    def answer_once(self, path: str, document: SecretDocument) -> None:
        """The next call for this path is answered by a replica that lags behind."""
        with self._lock:
            self._lagging[path] = document

    def hide_versions(self) -> None:
        """From now on a policy allows values and denies versions."""
        with self._lock:
            self._versions_hidden = True

    def read(self, path: str, *, timeout_seconds: float) -> SecretDocument:  # noqa: ARG002 - never waits
        with self._lock:
            self.reads.append(path)
            return self._current(path)

    def version(self, path: str, *, timeout_seconds: float) -> str | None:  # noqa: ARG002 - never waits
        with self._lock:
            self.version_checks.append(path)
            if self._versions_hidden:
                raise SecretAccessDenied(f"a policy hides the version of {path!r} in memory")
            return self._current(path).version

    def close(self) -> None:
        self.closed = True

    def _current(self, path: str) -> SecretDocument:
        if self._failure is not None:
            raise self._failure
        document = self._lagging.pop(path, None) or self._documents.get(path)
        if document is None:
            raise SecretNotFound(f"there is no secret at {path!r} in memory: put one there first")
        return document
