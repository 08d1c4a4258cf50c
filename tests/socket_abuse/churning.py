"""A Unix server of 2000 tokens that change all the time, as a program, so that its memory can be watched.

usage: churning.py SOCKET ALLOWED_UID
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import uvloop

from broker.events import StateChanged
from broker.infra.clock import SystemClock
from broker.server.peer import AccessRule
from broker.server.unix import UnixServer
from tests.server.fakes import FakeReader, Observed

TOKENS = 2000
AT_ONCE = 50
PAUSE_SECONDS = 0.02


async def serve(path: Path, uid: int) -> None:
    """Serve until SIGTERM."""
    clock = SystemClock()
    names = [f"token-{number:04}" for number in range(TOKENS)]
    reader = FakeReader(clock, *names)
    server = UnixServer(
        path=path,
        mode=0o666,
        gid=None,
        reader=reader,
        rules=dict.fromkeys(names, AccessRule(uids=frozenset({uid}))),
        observer=Observed(),
        clock=clock,
    )
    await server.start()
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    place = 0
    while not stopped.is_set():
        for name in (names[(place + step) % TOKENS] for step in range(AT_ONCE)):
            reader.mint(name)
            record = reader.record(name)
            server.observe(
                StateChanged(token=name, state=record.state, condition=record.condition, reason=record.reason)
            )
        place += AT_ONCE
        await asyncio.sleep(PAUSE_SECONDS)
    await server.stop()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
