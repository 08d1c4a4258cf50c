"""Our Unix server with one token and nothing behind it: what the socket costs, without a daemon around it.

usage: python -m tests.bench.socket_server SOCKET
"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from pathlib import Path

import uvloop

from broker.infra.clock import SystemClock
from broker.server.peer import AccessRule
from broker.server.unix import UnixServer
from tests.server.fakes import FakeReader, Observed

TOKEN_NAME = "bench"
TOKEN_BYTES = 1200  # a signed JWT with a handful of claims


async def serve(path: Path) -> None:
    """Serve until SIGTERM."""
    clock = SystemClock()
    reader = FakeReader(clock, TOKEN_NAME)
    reader.mint(TOKEN_NAME, "S3CR3T-".ljust(TOKEN_BYTES, "x"), expires_in=86_400)
    server = UnixServer(
        path=path,
        mode=0o600,
        gid=None,
        reader=reader,
        rules={TOKEN_NAME: AccessRule()},
        observer=Observed(),
        clock=clock,
        boot=clock.boot,
    )
    await server.start()
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    gc.collect()
    gc.freeze()
    await stopped.wait()
    await server.stop()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1])))
