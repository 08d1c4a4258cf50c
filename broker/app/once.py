"""`once`: mint, publish to the configured files, exit. For init containers, cron and one-shot units.

Owns: when to give up and with which exit code. Beside a running daemon it mints nothing (`beside`); when the other
instance ends, it takes over.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import msgspec

from broker.app import process
from broker.app.assembly import Assembly
from broker.app.beside import SLICE_SECONDS, Beside
from broker.app.outside import real_outside
from broker.app.plugin_vocabulary import PluginVocabulary
from broker.app.readiness import ReadyWatch
from broker.app.start_obstacle import StartObstacle
from broker.client.errors import AccessDenied
from broker.config.load import load
from broker.config.schema import Config
from broker.core.store import Store
from broker.events import Event, StateChanged
from broker.infra.locks import AlreadyRunning
from broker.plugins import Plugins
from broker.telemetry import logs


def once(config_path: Path, names: Sequence[str]) -> int:
    """Mint and publish `names` (none: all). Raises ConfigError, or AccessDenied for an unknown name."""
    process.harden()
    plugins = Plugins()
    config = load(config_path, environment=os.environ, vocabulary=PluginVocabulary(plugins))
    config = msgspec.structs.replace(_only(config, names), cache=None)  # minting is what it is for
    with closing(logs.configure(config.log.level, config.log.format)):
        deadline = time.monotonic() + config.broker.startup_deadline
        beside = Beside(config)
        while True:
            with ExitStack() as locks, suppress(AlreadyRunning):
                process.lock_directories(config.broker, locks)
                return asyncio.run(_mint(config, plugins, deadline=deadline))
            left = max(0.0, deadline - time.monotonic())
            if beside.published(wait_seconds=min(left, SLICE_SECONDS)):
                return os.EX_OK
            if time.monotonic() >= deadline:
                return beside.give_up()


def _only(config: Config, names: Sequence[str]) -> Config:
    for name in names:
        if name not in config.tokens:
            configured = ", ".join(sorted(config.tokens)) or "none"
            raise AccessDenied(
                f"there is no managed token {name}", code="denied", fix=f"configured are: {configured}"
            )
    if not names:
        return config
    tokens = {name: table for name, table in config.tokens.items() if name in names}
    return msgspec.structs.replace(config, tokens=tokens)


async def _mint(config: Config, plugins: Plugins, *, deadline: float) -> int:
    asyncio.get_running_loop().set_exception_handler(logs.asyncio_exception_handler)
    watch, log = ReadyWatch(), logs.LogObserver()

    refused = set[str]()
    """The request itself is: nothing that time brings will change that."""

    def observe(event: Event) -> None:
        log(event)
        watch(event)
        if isinstance(event, StateChanged) and event.condition == "misconfigured":
            refused.add(event.token)

    outside = real_outside(plugins=plugins, observer=observe)
    store = Store(outside.clock, observe)
    assembly = Assembly(outside=outside, store=store)

    unfinished = StartObstacle(lambda: assembly.units, lambda unit: not (unit.published and unit.told))

    async with asyncio.TaskGroup() as group:
        await assembly.apply(config, group)
        left = max(0.0, deadline - time.monotonic())
        await watch.until(lambda: bool(refused) or unfinished.gone(), timeout_seconds=left)
        missing = [name for name, unit in assembly.units.items() if not unit.published]
        code = os.EX_OK if not missing else os.EX_UNAVAILABLE if refused else os.EX_TEMPFAIL
        for name in missing:
            record = store.record(name)
            sys.stderr.write(f"token-broker: {name}: {record.condition}: {record.reason}\n")
        await assembly.stop()
    return code
