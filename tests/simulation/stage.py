"""What a script acts upon: the world, the readers, and the broker's process with its configuration.

Owns: restart and reload. Refuses to know: when they happen.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from tests.simulation import configuration
from tests.simulation.authorization_server import Fault, SimulatedServer
from tests.simulation.process import Process, write_key
from tests.simulation.readers import Readers
from tests.simulation.world import World


class Stage:
    """One simulated machine."""

    def __init__(self, world: World, make_process: Callable[[World], Process] = Process) -> None:
        self.world = world
        self.readers = Readers(world)
        self._make_process = make_process
        self._changing = asyncio.Lock()
        self.process = make_process(world)
        write_key(world.directory / "key", world.seed)
        self.configure()

    def configure(self, *, without: Collection[str] = (), extra: Mapping[str, str] | None = None) -> None:
        """Write the configuration file."""
        text = configuration.text(self.world, without=without, extra=extra, cache=self.world.caches)
        (self.world.directory / "config.toml").write_text(text)

    async def start(self) -> None:
        """The first start."""
        await self.process.start(adopts=False)
        self.readers.process = self.process
        self.readers.look(self.world.names)

    async def restart(
        self, *, kill: bool, down_seconds: float, meanwhile: Callable[[], object] | None = None
    ) -> None:
        """End the process, and start another one on the same directories.

        `meanwhile` spoils what is kept there: nothing is expected to be taken over then.
        """
        world = self.world
        async with self._changing:
            with world.fault("restart", "restart", world.names):
                self.readers.process = None
                await (self.process.kill() if kill else self.process.stop())
                self.readers.look(world.names)
                if meanwhile is not None:
                    meanwhile()
                await asyncio.sleep(down_seconds)
                self.process = self._make_process(world)
                await self.process.start(adopts=world.caches if meanwhile is None else None)
                self.readers.process = self.process

    async def reload(self, *, changed: tuple[str, ...] = ()) -> None:
        """Apply the configuration file."""
        async with self._changing:
            self.readers.look(self.world.names)
            await self.process.reload(changed=changed)
            self.readers.look(self.world.names)


Play = Callable[[Stage, random.Random], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Script:
    """One scenario; `longest_seconds` bounds how long it plays."""

    longest_seconds: float
    play: Play


@contextmanager
def faulty(server: SimulatedServer, fault: Fault) -> Iterator[None]:
    """The server has one more fault inside."""
    server.faults.append(fault)
    try:
        yield
    finally:
        server.faults.remove(fault)
