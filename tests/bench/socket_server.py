"""Our Unix server with one token and nothing behind it: what the socket costs, without a daemon around it.

usage: python -m tests.bench.socket_server SOCKET [RENEWING]

With RENEWING as many more tokens, each of which gets a new revision every second.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from pathlib import Path

import uvloop

from broker.events import MintSucceeded
from broker.infra.clock import SystemClock
from broker.server.peer import AccessRule
from broker.server.unix import UnixServer
from tests.server.fakes import FakeReader, Observed

TOKEN_NAME = "bench"
TOKEN_BYTES = 1200  # a signed JWT with a handful of claims


def renewing_names(count: int) -> list[str]:
    """The names of the tokens that are renewed all the time."""
    return [f"renewing-{number}" for number in range(count)]


async def renew(reader: FakeReader, server: UnixServer, names: list[str]) -> None:
    """Each token once a second, evenly spread."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        for name in names:
            due += 1.0 / len(names)
            await asyncio.sleep(due - loop.time())  # the pace of the load, not a wait for anything
            reader.mint(name, expires_in=86_400)
            record = reader.record(name)
            server.observe(
                MintSucceeded(
                    token=name,
                    authorization_server="bench",
                    revision=record.revision,
                    issued_at=0.0,
                    expires_at=0.0,
                    expires_in=86_400,
                    duration_seconds=0.0,
                )
            )


async def serve(path: Path, renewing: int) -> None:
    """Serve until SIGTERM."""
    clock = SystemClock()
    names = renewing_names(renewing)
    reader = FakeReader(clock, TOKEN_NAME, *names)
    reader.mint(TOKEN_NAME, "S3CR3T-".ljust(TOKEN_BYTES, "x"), expires_in=86_400)
    server = UnixServer(
        path=path,
        mode=0o600,
        gid=None,
        reader=reader,
        rules=dict.fromkeys((TOKEN_NAME, *names), AccessRule()),
        observer=Observed(),
        clock=clock,
        boot=clock.boot,
    )
    await server.start()
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    gc.collect()
    gc.freeze()
    renewals = asyncio.create_task(renew(reader, server, names)) if names else None
    await stopped.wait()
    if renewals is not None:
        renewals.cancel()
    await server.stop()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))
