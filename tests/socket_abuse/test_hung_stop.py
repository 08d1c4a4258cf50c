"""A bug that keeps the socket from stopping does not keep the daemon from ending (R-147)."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.daemon.running import END_SECONDS, Daemon, environment
from tests.packaging.project import ROOT

pytestmark = pytest.mark.sockets

# The daemon with a socket server that never comes to its end.
PROGRAM = """
import asyncio, sys
from broker.cli import main
from broker.server.unix import UnixServer

async def stop(self):
    await asyncio.Event().wait()

UnixServer.stop = stop
sys.exit(main(["run", "--config", sys.argv[1]]))
"""


def test_the_daemon_ends_all_the_same(prepared: Daemon) -> None:
    """Within five seconds, with the exit code of an orderly end and a line in the log."""
    with prepared.log.open("ab") as log:
        prepared.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(prepared.config)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment({"PYTHONPATH": str(ROOT)}),
        )
    try:
        prepared.wait_for(state="fresh")
        code, seconds = prepared.stop()
    finally:
        prepared.__exit__()
    assert 0 == code
    assert seconds < END_SECONDS
    assert ["not everything stopped in time"] == [
        line["message"] for line in prepared.lines("life_cycle") if line["phase"] == "warning"
    ][-1:]
