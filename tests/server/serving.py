"""A Unix server of one token as a program, so that it can be run in other namespaces.

usage: serving.py SOCKET ALLOWED...   (user ids, and names of units)
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop

from broker.infra.clock import SystemClock
from broker.server.peer import AccessRule
from broker.server.unix import UnixServer
from tests.server.fakes import FakeReader, Observed


def rule(allowed: Sequence[str]) -> AccessRule:
    """Who may read."""
    return AccessRule(
        uids=frozenset(int(one) for one in allowed if one.isdigit()),
        units=frozenset(one for one in allowed if not one.isdigit()),
    )


async def serve(path: Path, allowed: AccessRule) -> None:
    """Serve `deploy` until SIGTERM."""
    clock = SystemClock()
    reader = FakeReader(clock, "deploy")
    reader.mint("deploy", expires_in=86_400)
    server = UnixServer(
        path=path,
        mode=0o666,
        gid=None,
        reader=reader,
        rules={"deploy": allowed},
        observer=Observed(),
        clock=clock,
    )
    await server.start()
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    await stopped.wait()
    await server.stop()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), rule(sys.argv[2:])))
