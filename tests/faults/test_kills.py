"""The process ends as no process should: killed at any moment, or out of memory."""

from __future__ import annotations

import random
import resource
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.daemon.running import Daemon, local_tables
from tests.faults.daemons import MIB, memory_bytes
from tests.faults.readers import Reader, of_file
from tests.waiting import eventually

Server = DevelopmentAuthorizationServer

ROUNDS = 20
LONGEST_ROUND_SECONDS = 0.6
RESTART_SECONDS = 5.0


@pytest.fixture
def token_file(daemon: Daemon, server: Server) -> Path:
    """Where the token is published, as JSON."""
    daemon.write(local_tables(server, daemon.directory, files='format = "json"'))
    return daemon.directory / "run" / "tokens" / "deploy"


def restarted(daemon: Daemon, server: Server) -> float:
    """Start it; the seconds until it serves a valid token."""
    began = time.monotonic()
    daemon.start()

    def serves() -> bool:
        status, token = daemon.ask("/v1/tokens/deploy", accept="text/plain")
        return status == 200 and bool(server.introspect(token)["active"])

    eventually(serves, what="a token on the socket", retry_on=(OSError,))
    return time.monotonic() - began


def test_killed_at_any_moment_the_file_is_whole(daemon: Daemon, server: Server, token_file: Path) -> None:
    """F-45, R-177: twenty starts, each ended by SIGKILL at a random moment: at no time is the file torn or gone."""
    daemon.start()
    eventually(token_file.exists, what="the first token")
    moments = random.Random(45)
    with Reader(of_file(token_file, server)) as reader:
        for _ in range(ROUNDS):
            daemon.stop(signal.SIGKILL)
            daemon.start()
            assert daemon.process is not None
            with suppress(subprocess.TimeoutExpired):
                daemon.process.wait(moments.uniform(0, LONGEST_ROUND_SECONDS))
            assert daemon.process.returncode is None, "it ended by itself"
        daemon.stop(signal.SIGKILL)
        assert restarted(daemon, server) < RESTART_SECONDS
    assert [] == reader.wrong
    assert reader.looks > 100
    eventually(
        lambda: ["deploy"] == sorted(path.name for path in token_file.parent.iterdir()),
        what="what was left lying about is gone",
    )


def test_out_of_memory_leaves_the_file_whole(daemon: Daemon, server: Server, token_file: Path) -> None:
    """F-45: no more memory is to be had; whatever becomes of the process, the file stays, and a restart serves."""
    daemon.start()
    daemon.wait_for(state="fresh")
    eventually(token_file.exists, what="the first token")
    with Reader(of_file(token_file, server)) as reader:
        size = memory_bytes(daemon, "VmSize")
        resource.prlimit(daemon.pid, resource.RLIMIT_AS, (size + MIB, resource.RLIM_INFINITY))
        # An answer of a megabyte does not fit any more, nor do threads, nor much else.
        server.fault("token", "endless")
        with suppress(OSError):
            daemon.ask("/v1/tokens/deploy/renew?wait=1s", "POST")
        server.clear()
        daemon.stop(signal.SIGKILL)
        assert restarted(daemon, server) < RESTART_SECONDS
    assert [] == reader.wrong
