"""Programs that read: the file and the socket of every token, all the time.

Owns: when and how they look. Refuses to know: what they should find.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable

from tests.simulation.authorization_server import RegisteredClient
from tests.simulation.process import Process
from tests.simulation.world import World

MARGIN_SECONDS = 5.0
MARGIN_FRACTION = 0.1
AROUND_SECONDS = 0.001
SOON_SECONDS = 0.05
"""After a token is handed out: long enough for the broker to publish it."""


class Readers:
    """Read at random instants, at least once a minute, and around each event."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rng = world.chance("readers")
        self._paths = {name: str(world.directory / "run" / name) for name in world.names}
        self.process: Process | None = None
        """Who is asked on the socket; None while nobody listens."""
        world.look = self.look
        for server in world.servers:
            server.on_token = self._handed_out

    def look(self, names: Iterable[str]) -> None:
        """Both ways, now."""
        write = self._world.history.write
        for name in names:
            write("read", token=name, where="file", value=_content(self._paths[name]))
            if self.process is not None:
                answer = self.process.ask(name)
                write(
                    "read",
                    token=name,
                    where="socket",
                    value=answer.token,
                    state=answer.state,
                    expires_in=answer.expires_in,
                )

    async def run(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(self._rng.uniform(40, 60))
            self.look(self._world.names)

    def _handed_out(self, client: RegisteredClient, seconds: float) -> None:
        """Look before the broker has the answer, soon after, and just before and after the token's last second."""
        loop, names = asyncio.get_running_loop(), (client.name,)
        self.look(names)
        usable = seconds - min(MARGIN_SECONDS, MARGIN_FRACTION * seconds)
        for delay in (SOON_SECONDS, usable - AROUND_SECONDS, usable + AROUND_SECONDS):
            loop.call_later(max(0.0, delay), self.look, names)


def _content(path: str) -> str | None:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        return os.read(descriptor, 65_536).decode()
    finally:
        os.close(descriptor)
