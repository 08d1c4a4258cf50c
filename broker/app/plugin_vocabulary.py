"""What the installed plug-ins allow the configuration to say.

Owns: the bridge between `broker.config`, which knows keys, and `broker.plugins`, which knows distributions.
"""

from __future__ import annotations

from typing import Any, Literal

from broker.config.schema import UnusablePlugin
from broker.errors import Fault, PluginError, PluginUnusable
from broker.plugins import Plugins

Kind = Literal["secret_backends", "sinks"]


class PluginVocabulary:
    """Implements `broker.config.load.Vocabulary` over entry points; only the types that are asked for are loaded."""

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins

    def options(self, kind: Kind, type_name: str) -> type[Any] | UnusablePlugin | str:
        """The option struct of a plug-in; else why there is none: its own trouble, or a fault of the installation."""
        try:
            if kind == "secret_backends":
                return self._plugins.secret_backend(type_name).options
            return self._plugins.sink(type_name).options
        except PluginUnusable as error:
            return UnusablePlugin(message=error.message)
        except PluginError as error:
            return error.message

    def check(self, kind: Kind, type_name: str, options: Any) -> tuple[Fault, ...]:
        """What the plug-in says of these options beyond their types."""
        if kind == "secret_backends":
            return self._plugins.secret_backend(type_name).check(options)
        sink = self._plugins.sink(type_name)
        faults = sink.check(options)
        if not faults:
            sink.target(options), sink.hook(options)  # the daemon relies on both: they fail here or never
        return faults

    def types(self, kind: Kind) -> tuple[str, ...]:
        """The names that are installed."""
        return self._plugins.names("secret_backend" if kind == "secret_backends" else "sink")

    def client_auth_trouble(self, method: str) -> str | None:
        """Why this client authentication method cannot be used; None if it can."""
        try:
            self._plugins.client_auth(method)
        except PluginError as error:
            return error.message
        return None

    def client_auth_methods(self) -> tuple[str, ...]:
        """The client authentication methods that are installed."""
        return self._plugins.names("client_auth")
