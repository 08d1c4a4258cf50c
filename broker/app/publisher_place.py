"""From one table of a sink to the publisher and the hook of it.

Owns: what each is built from, the threads that all sinks and all hooks share, how many programs run at once. Refuses to
know: when they run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from broker.api import PluginContext, TokenSinkPlugin
from broker.app.outside import Outside
from broker.app.unusable_plugin import UnusableSink
from broker.config.schema import PluginTable, UnusablePlugin
from broker.core.hook_caller import HookCaller
from broker.core.managed_token import ManagedToken
from broker.core.naps import Naps
from broker.core.publisher import Publisher
from broker.ports import ChangeHook, TokenSink

MOST_HOOKS = 16
"""A thousand tokens that are renewed at once are no reason to start a thousand programs at once."""


@dataclass(slots=True, kw_only=True)
class PublisherPlace:
    """A publisher and what it was built from."""

    publisher: Publisher
    hook: HookCaller | None
    table: PluginTable
    plugin: TokenSinkPlugin | None
    """None of one that cannot be used."""
    context: PluginContext

    async def stop(self, kept: Sequence[PluginTable] | None) -> None:
        """Close the sink. What it wrote stays, or goes where the configuration says so and none of `kept` writes it.

        `kept` is None at shutdown, when everything stays.
        """
        await self.publisher.stop(withdraw=None if kept is None else self._rest(kept))

    def _rest(self, kept: Sequence[PluginTable]) -> Callable[[], TokenSink] | None:
        """Makes the sink whose withdrawal removes what is to go."""
        plugin, own = self.plugin, self.table.options
        if plugin is None or not _is_removed(self.table):
            return None
        others = tuple(
            table.options
            for table in kept
            if table.type == self.table.type and not isinstance(table.options, UnusablePlugin)
        )
        if plugin.rest is None:
            is_kept = plugin.target(own) in map(plugin.target, others)
            return None if is_kept else self.publisher.sink
        rest = plugin.rest(own, others)
        if rest == own:
            return self.publisher.sink
        return None if rest is None else lambda: plugin.create(rest, self.context)


class PublisherPlaces:
    """Builds them."""

    def __init__(self, outside: Outside, naps: Naps) -> None:
        self._outside = outside
        self._naps = naps
        self._sink_threads = outside.crowd_threads("sinks")
        self._hook_threads = outside.crowd_threads("hooks")
        self._hook_turns = asyncio.Semaphore(MOST_HOOKS)

    def place(self, token: ManagedToken, table: PluginTable) -> PublisherPlace:
        """Of one sink of this token; neither has been asked for anything yet."""
        hook: ChangeHook | None = None
        plugin: TokenSinkPlugin | None = None
        context = PluginContext(name=token.name, observer=self._outside.observer)
        if isinstance(table.options, UnusablePlugin):
            target = f"sink {table.type}"
            create: Callable[[], TokenSink] = UnusableSink(table.options.message)
        else:
            plugin = self._outside.plugins.sink(table.type)
            target = plugin.target(table.options)
            create = lambda: plugin.create(table.options, context)  # noqa: E731 - either of two
            hook = plugin.hook(table.options)
        caller = None if hook is None else self._caller(hook, token.name, table.type, target)
        publisher = Publisher(
            token=token,
            create=create,
            sink_type=table.type,
            target=target,
            withdraw_on_expiry=_is_removed(table),
            runner=self._sink_threads,
            naps=self._naps,
            observer=self._outside.observer,
            rng=self._outside.rng,
            hook=caller,
        )
        return PublisherPlace(publisher=publisher, hook=caller, table=table, plugin=plugin, context=context)

    def _caller(self, hook: ChangeHook, token_name: str, sink_type: str, target: str) -> HookCaller:
        return HookCaller(
            hook=hook,
            token_name=token_name,
            sink_type=sink_type,
            target=target,
            runner=self._hook_threads,
            turns=self._hook_turns,
            naps=self._naps,
            observer=self._outside.observer,
            rng=self._outside.rng,
        )

    def close(self) -> None:
        """No more calls."""
        self._sink_threads.close()
        self._hook_threads.close()


def _is_removed(table: PluginTable) -> bool:
    """Whether an expired token, and one that left the configuration, is withdrawn."""
    return bool(getattr(table.options, "on_expiry", "keep") == "remove")
