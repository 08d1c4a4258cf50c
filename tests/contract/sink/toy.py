"""A sink of a third party: tokens in a dictionary, as small as a sink can be.

Owns: the sink, and a store that can be full. Refuses to know: the contract.
"""

from __future__ import annotations

import msgspec

from broker.api import PluginContext, Publication, SinkError, TokenSinkPlugin


class Store:
    """What readers look at."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.writes = 0
        self.full = False

    def put(self, name: str, value: str) -> None:
        """Raises OSError while it is full."""
        if self.full:
            raise OSError(28, "No space left on device")
        self.writes += 1
        self.values[name] = value


STORES: dict[str, Store] = {}


class ToyOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[tokens.NAME.sinks]]` with `type = "toy"`."""

    store: str
    name: str


class ToySink:
    """Implements `broker.api.TokenSink`."""

    def __init__(self, options: ToyOptions) -> None:
        self.options = options
        self.store = STORES[options.store]

    def publish(self, publication: Publication) -> bool:
        token = publication.revision.token.value.reveal()
        if self.store.values.get(self.options.name) == token:
            return False
        try:
            self.store.put(self.options.name, token)
        except OSError as error:
            raise SinkError(f"{target(self.options)}: {error.strerror}: empty the store") from None
        return True

    def withdraw(self) -> None:
        self.store.values.pop(self.options.name, None)

    def close(self) -> None:
        return


def target(options: ToyOptions) -> str:
    """For messages."""
    return f"toy {options.store}/{options.name}"


def create(options: ToyOptions, context: PluginContext) -> ToySink:
    """As the broker asks for it."""
    return ToySink(options)


plugin = TokenSinkPlugin(options=ToyOptions, create=create, target=target)
