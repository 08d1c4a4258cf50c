"""One life of the broker in the world: from a configuration on disk to files and a socket.

Owns: start, stop, kill, reload, and asking on the socket. Everything is the product's own but what `World` stands for,
and the kernel's end of the socket: a connection is made as `UnixServer` makes it, for a peer that is root, and its
transport is a buffer.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import msgspec

from broker.app.assembly import Assembly
from broker.app.outside import Outside
from broker.app.plugin_vocabulary import PluginVocabulary
from broker.config.load import load
from broker.config.schema import AuthorizationServerTable, Config
from broker.core.store import Store
from broker.events import Event
from broker.ports import Clock, HttpTransport, Observer
from broker.server.peer import AccessRule, Peer
from broker.server.unix import SocketLimits, UnixServer
from broker.server.unix_connection import UnixConnection
from broker.telemetry.event_log import LogObserver
from broker.telemetry.metrics import Metrics
from tests.simulation.secret_store import SimulatedThreads
from tests.simulation.world import World

ROOT = Peer(uid=0, gids=lambda: frozenset({0}), pid=1, known=True, unit=lambda: None)
SINK_SECONDS = 0.001
ALLOWED_STOP_SECONDS = 3.0
"""As `broker.app.daemon` has it: what has not stopped by then is left."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the socket said."""

    token: str | None
    state: str | None = None
    expires_in: float = 0.0


class Process:
    """A broker that runs from `start` to `stop` or `kill`."""

    def __init__(
        self, world: World, *, serving_clock: Clock | None = None, observer: Observer | None = None
    ) -> None:
        self._world = world
        self._also = observer
        self._metrics = Metrics()
        self._logs = LogObserver(clock=world.time.boot)
        clock = world.time
        self.store = Store(clock, self._observe)
        outside = Outside(
            plugins=world.plugins,
            transport=self._transport,
            threads=self._threads,
            crowd_threads=self._threads,
            clock=clock,
            observer=self._observe,
            rng=world.chance(f"broker {clock.loop}"),
            boot_id="the only one",
        )
        self.assembly = Assembly(outside=outside, store=self.store, beat_seconds=world.beat_seconds)
        self._metrics.watch(self.store, clock)
        self._vocabulary = PluginVocabulary(world.plugins)  # type: ignore[arg-type]  # the simulated registry
        self._server = UnixServer(
            path=world.directory / "socket",
            mode=0o660,
            gid=None,
            reader=self.store,
            rules={name: AccessRule() for name in world.names},
            observer=self._observe,
            clock=serving_clock or clock,
            boot=(lambda: serving_clock.now().boot) if serving_clock else clock.boot,
        )
        self._connection: UnixConnection | None = None
        self._wire = Wire()
        self._group: asyncio.TaskGroup | None = None
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self, *, adopts: bool | None) -> None:
        """Load the configuration and start everything that it names.

        `adopts` is for the history: whether there is a cache of the life before; None if it was spoilt.
        """
        self._world.history.write("start", adopts=adopts)
        config = self._load()
        started = asyncio.Event()

        async def live() -> None:
            async with asyncio.TaskGroup() as group:
                self._group = group
                await self.assembly.apply(config, group)
                started.set()
                await self._stop.wait()
                try:
                    async with asyncio.timeout(ALLOWED_STOP_SECONDS):
                        await self.assembly.stop()
                except TimeoutError:
                    self._world.history.write("told", text="not everything stopped in time", level="info")

        self._task = asyncio.create_task(live())
        waiting = asyncio.create_task(started.wait())
        await asyncio.wait({self._task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not started.is_set():
            waiting.cancel()
            await self._task

    async def stop(self) -> None:
        """As SIGTERM would."""
        began = self._world.time.boot()
        self.tell_metrics()
        self._stop.set()
        if self._task is not None:
            await self._task
        self._world.history.write("stop", how="stopped", seconds=self._world.time.boot() - began)

    async def kill(self) -> None:
        """As SIGKILL would: whatever was going on, ends."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        self._world.history.write("stop", how="killed", seconds=0.0)

    async def reload(self, *, changed: tuple[str, ...] = ()) -> None:
        """As SIGHUP would. Raises ConfigError, with everything as it was."""
        config = self._load()
        self._world.history.write("reload", changed=changed)
        if self._group is not None:
            await self.assembly.apply(config, self._group)

    def tell_metrics(self) -> None:
        """What a scraper would see."""
        self._world.history.write("told", text=self._metrics.render()[0].decode(), level="info")

    def ask(self, name: str) -> Answer:
        """What the socket answers to a reader."""
        status, body = self._exchange(b"GET /v1/tokens/%s HTTP/1.1\r\nHost: x\r\n\r\n" % name.encode())
        if status != 200:
            return Answer(None)
        document = msgspec.json.decode(body)
        return Answer(document["access_token"], document["state"], document["expires_in"])

    def renew(self, name: str) -> None:
        """A program wants another token."""
        self._world.history.write("wish", token=name, what="renew")
        self._exchange(b"POST /v1/tokens/%s/renew HTTP/1.1\r\nHost: x\r\n\r\n" % name.encode())

    def reject(self, name: str) -> None:
        """A program says that an API refused the current token."""
        token = self.ask(name).token
        if token is None:
            return
        body = json.dumps({"fingerprint": hashlib.sha256(token.encode()).hexdigest()[:16]}).encode()
        head = b"POST /v1/tokens/%s/reject HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
        status, _ = self._exchange(head % (name.encode(), len(body)) + body)
        if status == 202:
            self._world.history.write("wish", token=name, what="reject")

    def _exchange(self, request: bytes) -> tuple[int, bytes]:
        if self._connection is None or not self._connection.open:
            self._connection = UnixConnection(
                routes=self._server._routes,
                traffic=self._server._traffic,
                peer=ROOT,
                clock=self._world.time,
                patience=SocketLimits().patience,
                lost=lambda connection: None,  # noqa: ARG005 - nobody counts
            )
            self._wire = Wire()
            self._connection.connection_made(self._wire)
        self._wire.written.clear()
        self._connection.data_received(request)
        head, _, body = bytes(self._wire.written).partition(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1]), body

    def _observe(self, event: Event) -> None:
        self._metrics(event)
        self._logs(event)
        self._world.observe(event)
        if self._also is not None:
            self._also(event)

    def _transport(self, table: AuthorizationServerTable) -> HttpTransport:
        return next(server for server in self._world.servers if server.issuer == table.issuer)

    def _threads(self, name: str) -> SimulatedThreads:
        kind, _, store = name.partition(" ")
        if kind == "backend":
            return SimulatedThreads(lambda: self._world.stores[store].call_seconds)
        return SimulatedThreads(lambda: SINK_SECONDS)

    def _load(self) -> Config:
        path = self._world.directory / "config.toml"
        return load(path, environment={}, vocabulary=self._vocabulary)


class Wire(asyncio.Transport):
    """A connection that ends in a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        """Never empty, since there is no descriptor that could be written to past this."""
        return 1

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """It takes everything."""

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        """It stays."""

    def abort(self) -> None:
        """It stays."""

    def pause_reading(self) -> None:
        """Nothing comes by itself."""

    def resume_reading(self) -> None:
        """Nothing comes by itself."""


def write_key(path: Path, seed: int) -> None:
    """A cache key, the same for every life of one world."""
    path.write_bytes(base64.b64encode(seed.to_bytes(32, "big")))
    path.chmod(0o600)
