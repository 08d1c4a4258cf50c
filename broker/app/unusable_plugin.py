"""What stands where an unusable plug-in would: it fails, with the reason, whatever is asked of it.

Owns: the errors. Refuses to know: why the plug-in cannot be used.
"""

from __future__ import annotations

from broker.errors import SecretBackendUnusable, SinkError
from broker.ports import SecretBackend, TokenSink


class UnusableBackend:
    """Called as `create` of a secret backend: there will be none."""

    def __init__(self, message: str) -> None:
        self._message = message

    def __call__(self) -> SecretBackend:
        raise SecretBackendUnusable(self._message)


class UnusableSink:
    """Called as `create` of a sink: likewise."""

    def __init__(self, message: str) -> None:
        self._message = message

    def __call__(self) -> TokenSink:
        raise SinkError(self._message, code="plugin")
