"""What the installed plug-ins allow, as this room asks for it.

Owns: the questions. Refuses to know: entry points; `broker.app` answers from the installed plug-ins.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

from broker.config.schema import UnusablePlugin
from broker.errors import Fault

PluginKind = Literal["secret_backends", "sinks"]


class Vocabulary(Protocol):
    """The types that `type = "..."` may name, and what each makes of its table."""

    def types(self, kind: PluginKind) -> tuple[str, ...]:
        """The installed names, without loading them."""
        ...

    def options(self, kind: PluginKind, type_name: str) -> type[Any] | UnusablePlugin | str:
        """The option struct of an installed name; else why there is none: one plug-in's trouble, or a fault."""
        ...

    def check(self, kind: PluginKind, type_name: str, options: Any) -> tuple[Fault, ...]:
        """Faults that types cannot express, with paths relative to the table."""
        ...

    def client_auth_methods(self) -> tuple[str, ...]:
        """The installed `token_endpoint_auth_method` values."""
        ...
