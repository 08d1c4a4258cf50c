"""The life cycle of the daemon: locks, listeners, tokens, readiness, reload, stop.

Owns: the order of things. Locks come first, then metrics and the ops listener, then what can fail: a broker that cannot
mint must still be scraped. Refuses to know: how any part works.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

from broker import __version__
from broker.app import process
from broker.app.assembly import Assembly
from broker.app.outside import real_outside
from broker.app.plugin_vocabulary import PluginVocabulary
from broker.app.readiness import ReadyWatch
from broker.app.runtime_directory import RuntimeDirectory
from broker.app.start_obstacle import StartObstacle
from broker.app.supervision import supervise
from broker.app.unit import Unit
from broker.app.watchdog import Watchdog
from broker.config.load import load
from broker.config.schema import Config
from broker.config.unusable import unusable
from broker.core.store import Store
from broker.errors import ConfigError, Fault
from broker.events import ConfigReloaded, Event, LifeCycle
from broker.infra.clock import SystemClock
from broker.infra.systemd import Notifier, listening_sockets, watchdog_seconds
from broker.plugins import Plugins
from broker.policy.readiness import Readiness, readiness
from broker.ports import Observer
from broker.server.ops import OpsServer
from broker.server.peer import AccessRule
from broker.server.unix import UnixServer
from broker.telemetry import logs
from broker.telemetry.metrics import Metrics

STOP_SECONDS = 3.0
"""What is left of the five seconds in which it ends (R-147) is for the interpreter, on a busy machine too."""
RESTART_REQUIRED = ("broker", "socket", "ops")


def run(config_path: Path) -> int:
    """Run until SIGTERM or SIGINT. Raises ConfigError, AlreadyRunning, SocketInUse."""
    process.harden()
    process.lean()
    plugins = Plugins()
    vocabulary = PluginVocabulary(plugins)
    config = load(config_path, environment=os.environ, vocabulary=vocabulary)
    with ExitStack() as stack:
        logging = stack.enter_context(closing(logs.configure(config.log.level, config.log.format)))
        warnings = process.lock_directories(config.broker, stack)
        daemon = Daemon(
            config_path, config, plugins=plugins, vocabulary=vocabulary, logging=logging, locks=stack
        )
        for warning in (*warnings, *map(str, unusable(config))):
            daemon.observe(LifeCycle(phase="warning", message=warning))
        # The loop is not closed: that waits for name look-ups that hang. The process ends right after this.
        asyncio.Runner(loop_factory=_loop_factory()).run(daemon.main())
    return os.EX_OK


class Daemon:
    """One run of the daemon."""

    def __init__(
        self,
        config_path: Path,
        config: Config,
        *,
        plugins: Plugins,
        vocabulary: PluginVocabulary,
        logging: logs.Logging,
        locks: ExitStack,
    ) -> None:
        self._logging = logging
        self._config_path = config_path
        self._config = config
        self._vocabulary = vocabulary
        self._runtime_directory = RuntimeDirectory(config.broker, locks, self.observe)
        self._clock = SystemClock()
        self._notifier = Notifier(os.environ)
        self._watchdog = Watchdog(self._notifier, watchdog_seconds(os.environ, pid=os.getpid()))
        self._metrics = Metrics()
        self._logs = logs.LogObserver()
        self._store = Store(self._clock, self.observe)
        self._ready = ReadyWatch()
        self._assembly = Assembly(
            outside=real_outside(plugins=plugins, observer=self.observe),
            store=self._store,
            beat_seconds=self._watchdog.beat_seconds,
        )
        self._metrics.watch(self._store, self._clock)
        self._listeners: list[Observer] = []

    def observe(self, event: Event) -> None:
        """Pass an event to everyone who listens."""
        self._metrics(event)
        self._logs(event)
        self._ready(event)
        self._watchdog(event)
        for listener in self._listeners:
            listener(event)

    async def main(self) -> None:
        """From listeners to the last closed connection."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(logs.asyncio_exception_handler)
        stop, reload = asyncio.Event(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGHUP, reload.set)
        self.observe(LifeCycle(phase="starting", message=f"token-broker {__version__}"))
        server = self._socket_server()
        self._listeners.append(server.observe)

        def metrics() -> tuple[bytes, str]:
            server.flush()
            return self._metrics.render()

        ops = OpsServer(
            listen=self._config.ops.listen,
            metrics=metrics,
            reader=self._store,
            ready=self._readiness,
            name_ready=lambda name: readiness((self._store.record(name),)),
            observer=self.observe,
            clock=self._clock,
        )
        await ops.start()
        await server.start()
        self.observe(LifeCycle(phase="listening", message=server.address))
        async with asyncio.TaskGroup() as group:
            await self._assembly.apply(self._config, group)
            process.settle()
            tasks = [
                group.create_task(supervise("readiness", self._become_ready)),
                group.create_task(
                    supervise("runtime directory", lambda: self._runtime_directory.keep(server))
                ),
                group.create_task(supervise("reload", lambda: self._reload_when(reload, server, group))),
            ]
            await stop.wait()
            self._notifier.stopping()
            self.observe(LifeCycle(phase="stopping", message="stopping"))
            for task in tasks:
                task.cancel()
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await server.stop()
                    await self._assembly.stop()
                    await ops.stop()
            except TimeoutError:
                self.observe(LifeCycle(phase="warning", message="not everything stopped in time"))
                for task in asyncio.all_tasks() - {asyncio.current_task()}:
                    task.cancel()  # the group waits for its tasks, and the process for the group

    def _socket_server(self) -> UnixServer:
        table = self._config.socket
        rule = AccessRule.from_names(groups=[table.group] if table.group else [])
        return UnixServer(
            path=Path(table.path),
            mode=table.mode,
            gid=next(iter(rule.gids), None),
            reader=self._store,
            rules=_rules(self._config),
            observer=self.observe,
            clock=self._clock,
            boot=self._clock.boot,
            inherited=_inherited_socket(),
        )

    def _readiness(self) -> Readiness:
        return readiness(
            self._store.record(name) for name, unit in self._assembly.units.items() if unit.table.required
        )

    async def _become_ready(self) -> None:
        """READY when every required token is published, at the latest at the deadline; then STATUS follows."""
        published = StartObstacle(lambda: self._assembly.units, _keeps_from_ready).gone
        if await self._ready.until(published, timeout_seconds=self._config.broker.startup_deadline):
            self._tell_ready("every required token is published")
        else:
            reasons = "; ".join(self._readiness().reasons) or "a required token is not published yet"
            self._notifier.ready(f"degraded: {reasons}")
            self.observe(LifeCycle(phase="degraded", message=reasons))
            await self._ready.until(published, timeout_seconds=None)
            self._tell_ready("every required token is published by now")
        await asyncio.Event().wait()

    def _tell_ready(self, message: str) -> None:
        process.settle()
        self._notifier.ready(message)
        self.observe(LifeCycle(phase="ready", message=message))

    async def _reload_when(self, wanted: asyncio.Event, server: UnixServer, group: asyncio.TaskGroup) -> None:
        while True:
            await wanted.wait()
            wanted.clear()
            self._notifier.reloading()
            outcome = "the old configuration stays in force"
            try:
                outcome = await self._reload(server, group)
                self.observe(ConfigReloaded(outcome="success", message=outcome))
            except ConfigError as error:
                faults = "; ".join(str(fault) for fault in error.faults)
                self.observe(ConfigReloaded(outcome="failure", message=f"{outcome}: {faults}"))
            finally:
                self._notifier.ready(outcome)

    async def _reload(self, server: UnixServer, group: asyncio.TaskGroup) -> str:
        new = load(self._config_path, environment=os.environ, vocabulary=self._vocabulary)
        for fault in unusable(new):
            self.observe(LifeCycle(phase="warning", message=str(fault)))
        changed = [name for name in RESTART_REQUIRED if getattr(new, name) != getattr(self._config, name)]
        self._logging.change(new.log.level, new.log.format)
        await self._assembly.apply(new, group)
        server.replace_rules(_rules(new))
        self._config = new
        if changed:
            return f"reloaded; restart required for {', '.join(f'[{name}]' for name in changed)}"
        return "reloaded"


def _keeps_from_ready(unit: Unit) -> bool:
    return unit.table.required and not (unit.published and readiness((unit.token.record(),)).ready)


def _rules(config: Config) -> dict[str, AccessRule]:
    """Equal rules are one object: a thousand tokens often have the same readers."""
    made: dict[AccessRule, AccessRule] = {}
    rules = {}
    for name, table in config.tokens.items():
        rule = AccessRule.from_names(
            users=table.allow.users, groups=table.allow.groups, units=table.allow.units
        )
        rules[name] = made.setdefault(rule, rule)
    return rules


def _inherited_socket() -> socket.socket | None:
    try:
        inherited = listening_sockets(os.environ, pid=os.getpid())
    except ValueError as error:
        raise ConfigError((Fault("socket", f"{error}: check the .socket unit"),)) from None
    if len(inherited) > 1:
        raise ConfigError(
            (Fault("socket", "more than one listening socket was passed: check the .socket unit"),)
        )
    return next(iter(inherited.values()), None)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
