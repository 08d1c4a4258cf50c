"""One simulated run: the whole broker from TOML to files and socket, a script of faults, readers, and the verdict.

Owns: the composition. A seed is a trace: all chance comes from one generator.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import random
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from broker.app.assembly import Assembly
from broker.app.outside import Outside
from broker.app.plugin_vocabulary import PluginVocabulary
from broker.config.load import load
from broker.core.store import Store
from broker.server.peer import AccessRule, Peer
from broker.server.unix import SocketLimits, UnixServer, _UnixConnection
from tests.simulation.checker import Violation, check
from tests.simulation.history import History, Read
from tests.simulation.loop import Time, VirtualLoop
from tests.simulation.scripts import SCRIPTS, Script
from tests.simulation.world import ISSUER, SimulatedThreads, World

HOST_OF_ISSUER = "login.simulated"
LAST_QUIET_SECONDS = 40 * 60.0
ROOT = Peer(uid=0, gids=frozenset({0}), pid=1, known=True)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one seed."""

    seed: int
    scripts: tuple[str, ...]
    history: History
    violations: list[Violation]


def simulate(
    seed: int,
    *,
    days: float,
    tokens: int,
    script: str | None = None,
    prepare: Callable[[World], None] | None = None,
) -> Result:
    """Run one seed; `script` is a fault scenario alone, or None for a combination by chance."""
    rng = random.Random(seed)
    time = Time()
    memory = Path("/dev/shm")
    directory = Path(tempfile.mkdtemp(prefix="simulation-", dir=memory if memory.is_dir() else None))
    chosen = (script,) if script is not None else tuple(rng.sample(sorted(SCRIPTS), rng.randint(2, 4)))
    names = tuple(f"t{number}" for number in range(tokens))
    world = World(time=time, rng=rng, names=names, directory=directory)
    world.history.began = time.boot()
    # Whoever sets the wall clock while the process is down, or spoils its files, may cost it what it had kept.
    world.history.is_cached = not {"F-42", "F-51"} & set(chosen)
    was_collecting = gc.isenabled()
    gc.disable()
    try:
        with asyncio.Runner(loop_factory=lambda: VirtualLoop(time)) as runner:
            runner.run(
                _live(
                    world, seconds=days * 86_400, scripts=[SCRIPTS[each] for each in chosen], prepare=prepare
                )
            )
    finally:
        shutil.rmtree(directory)
        if was_collecting:
            gc.enable()
    world.history.ended = time.boot()
    return Result(seed, chosen, world.history, check(world.history))


class Broker:
    """One life of the broker process in the world."""

    def __init__(self, world: World) -> None:
        self._world = world
        clock = world.time
        self.store = Store(clock, world.observe)
        outside = Outside(
            plugins=world.plugins,
            transport=lambda table: world,  # noqa: ARG005 - there is one server
            threads=lambda name: SimulatedThreads(
                lambda: world.backend_seconds if name.startswith("backend") else 0.001
            ),
            clock=clock,
            observer=world.observe,
            rng=world.rng,
        )
        self.assembly = Assembly(outside=outside, store=self.store)
        self._server = UnixServer(
            path=world.directory / "socket",
            mode=0o660,
            gid=None,
            reader=self.store,
            rules={name: AccessRule() for name in world.names},
            observer=world.observe,
            clock=clock,
            boot=clock.boot,
        )
        self._connection: _UnixConnection | None = None
        self._wire = Wire()
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Load the configuration and start everything that it names."""
        self._world.history.starts.append(self._world.time.boot())
        config = self._world.directory / "config.toml"
        config.write_text(_configuration(self._world))
        key = self._world.directory / "cache-key"
        if not key.exists():
            key.write_text(base64.b64encode(self._world.rng.randbytes(32)).decode())
            key.chmod(0o600)
        loaded = load(config, environment={}, vocabulary=PluginVocabulary(self._world.plugins))  # type: ignore[arg-type]  # the simulated registry
        started = asyncio.Event()

        async def work() -> None:
            async with asyncio.TaskGroup() as group:
                await self.assembly.apply(loaded, group)
                started.set()
                await self._stop.wait()
                await self.assembly.stop()

        self._task = asyncio.create_task(work())
        await started.wait()

    async def stop(self) -> None:
        """As SIGTERM would."""
        self._stop.set()
        if self._task is not None:
            await self._task

    def kill(self) -> None:
        """As SIGKILL would: no task runs on."""
        if self._task is not None:
            self._task.cancel()

    def ask(self, name: str) -> tuple[str | None, float | None]:
        """What the socket answers: token and expires_at, or None."""
        if self._connection is None or not self._connection.open:
            limits = SocketLimits()
            self._connection = _UnixConnection(
                routes=self._server._routes,
                reader=self.store,
                traffic=self._server._traffic,
                peer=ROOT,
                clock=self._world.time,
                boot=self._world.time.boot,
                patience=limits.patience,
                lost=lambda connection: None,  # noqa: ARG005 - nobody counts
            )
            self._wire = Wire()
            self._connection.connection_made(self._wire)
        self._wire.written.clear()
        self._connection.data_received(b"GET /v1/tokens/%s HTTP/1.1\r\nHost: x\r\n\r\n" % name.encode())
        head, _, body = bytes(self._wire.written).partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            return None, None
        document = json.loads(body)
        return document["access_token"], document["expires_at"]


class Wire(asyncio.Transport):
    """A connection that ends in a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

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


class Readers:
    """Programs that read file and socket all the time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.broker: Broker | None = None

    def read(self) -> None:
        """Every name, both ways, now."""
        now = self._world.time.boot()
        for name in self._world.names:
            content: str | None = None
            with suppress(FileNotFoundError):
                content = (self._world.directory / "run" / "tokens" / name).read_text()
            self._world.history.reads.append(Read(now, name, "file", content))
            if self.broker is not None:
                token, _ = self.broker.ask(name)
                self._world.history.reads.append(Read(now, name, "socket", token))

    async def run(self) -> None:
        """At random instants, at least once a minute."""
        while True:
            await asyncio.sleep(self._world.rng.uniform(30, 59))
            self.read()


class Stage:
    """What a script acts upon: the world, the broker's process, the readers."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.readers = Readers(world)
        self.broker = Broker(world)
        self.readers.broker = self.broker

    async def restart(self, *, kill: bool, down_seconds: float) -> None:
        """End the process, and start another one on the same directories."""
        self.readers.broker = None
        if kill:
            self.broker.kill()
            await asyncio.sleep(0)
        else:
            await self.broker.stop()
        await asyncio.sleep(down_seconds)
        self.broker = Broker(self.world)
        await self.broker.start()
        self.readers.broker = self.broker

    def look(self) -> None:
        """Read around an event."""
        self.readers.read()


async def _live(
    world: World, *, seconds: float, scripts: list[Script], prepare: Callable[[World], None] | None
) -> None:
    if prepare is not None:
        prepare(world)
    stage = Stage(world)
    await stage.broker.start()
    reading = asyncio.create_task(stage.readers.run())
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    plays = [asyncio.create_task(_play(stage, script, end)) for script in scripts]
    await asyncio.gather(*plays)
    await asyncio.sleep(max(0.0, end - loop.time()))
    stage.look()
    reading.cancel()
    await stage.broker.stop()


async def _play(stage: Stage, script: Script, end: float) -> None:
    """One script, begun at a random time early enough that the world is quiet again before the end."""
    loop = asyncio.get_running_loop()
    latest = max(1.0, end - LAST_QUIET_SECONDS - script.longest_seconds - loop.time())
    await asyncio.sleep(stage.world.rng.uniform(0.3 * latest, latest))
    stage.look()
    await script.play(stage)
    stage.look()


def _configuration(world: World) -> str:
    run = world.directory / "run"
    tables = "\n".join(
        f"""
[tokens.{name}]
authorization_server = "sim"
client_id = {{ backend = "sim", path = "{name}", field = "id" }}
client_secret = {{ backend = "sim", path = "{name}", field = "secret" }}
min_lifetime = "1s"
[[tokens.{name}.files]]
path = "tokens/{name}"
"""
        for name in world.names
    )
    return f"""
[broker]
runtime_dir = "{run}"
state_dir = "{world.directory}/state"
[cache]
key_file = "{world.directory}/cache-key"
[secret_backends.sim]
type = "simulated"
[authorization_servers.sim]
profile = "outsystems-odc"
discovery_url = "https://portal.simulated/identity/.well-known/openid-configuration"
issuer = "{ISSUER}"
token_endpoint_hosts = ["{HOST_OF_ISSUER}"]
{tables}
"""
