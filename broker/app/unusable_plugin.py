"""What stands where an unusable plug-in would: it fails, with the reason, whatever is asked of it.

Owns: the errors. Refuses to know: why the plug-in cannot be used.
"""

from __future__ import annotations

from broker.errors import SecretBackendUnusable, SinkError
from broker.model import Publication
from broker.ports import SecretBackend


class UnusableBackend:
    """Called as `create` of a secret backend: there will be none."""

    def __init__(self, message: str) -> None:
        self._message = message

    def __call__(self) -> SecretBackend:
        raise SecretBackendUnusable(self._message)


class UnusableSink:
    """Implements `broker.ports.TokenSink`."""

    def __init__(self, message: str) -> None:
        self._message = message

    def publish(self, publication: Publication) -> None:  # noqa: ARG002 - whatever it is
        raise SinkError(self._message, code="plugin")

    def withdraw(self) -> None:
        """Nothing was published."""

    def close(self) -> None:
        """Nothing is open."""
