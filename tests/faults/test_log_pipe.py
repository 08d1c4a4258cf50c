"""A log that nobody takes away (F-53)."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.canary import MARKER
from tests.daemon.running import COMMAND, END_SECONDS, Daemon, environment, local_tables, store
from tests.faults.daemons import UNDISTURBED_SECONDS, renewed, token
from tests.waiting import eventually

Server = DevelopmentAuthorizationServer

MANY = 1_200
"""Managed tokens: four lines each on the way to the first token, more than wait in the daemon's queue."""


@pytest.fixture
def full_pipe() -> Iterator[tuple[int, int]]:
    """Its two ends; not a byte fits in any more."""
    unread, log = os.pipe()
    os.set_blocking(log, False)
    try:
        while True:
            os.write(log, b"x" * 65_536)
    except BlockingIOError:
        os.set_blocking(log, True)
    yield unread, log
    os.close(unread)


class Drain:
    """Reads the pipe to its end, from now on."""

    def __init__(self, unread: int) -> None:
        self._pieces: list[bytes] = []
        self._thread = threading.Thread(target=self._read, args=(unread,), daemon=True)
        self._thread.start()

    def _read(self, unread: int) -> None:
        while piece := os.read(unread, 65_536):
            self._pieces.append(piece)

    def text(self) -> str:
        """What was read until now."""
        return b"".join(self._pieces).decode()

    def end(self) -> str:
        """All of it, once nobody writes any more."""
        self._thread.join(60)
        return self.text()


def test_log_that_nobody_reads_stops_nothing(
    tmp_path: Path, server: Server, full_pipe: tuple[int, int]
) -> None:
    """F-53: minting, serving and the end go on; lines that found no room are counted, and told when there is some."""
    unread, log = full_pipe
    daemon = Daemon(tmp_path, local_tables(server, tmp_path) + many_tokens(tmp_path, server))
    daemon.process = subprocess.Popen(
        [*COMMAND, "run", "--config", str(daemon.config)],
        stdin=subprocess.DEVNULL,
        stderr=log,
        env=environment(),
    )
    os.close(log)
    with ExitStack() as stack:
        stack.push(daemon.__exit__)
        eventually(lambda: server.ledger.count("token") > MANY, timeout=180, what="every token is minted")
        daemon.wait_for(state="fresh")
        assert renewed(daemon) < UNDISTURBED_SECONDS
        assert 200 == daemon.ask("/v1/tokens/deploy")[0]
        taken = Drain(unread)
        eventually(lambda: "lines were lost" in taken.text(), what="the lost lines are told")
        code, seconds = daemon.stop()
    assert 0 == code
    assert seconds < END_SECONDS
    told = [line for line in taken.end().splitlines() if "log_lines_lost" in line]
    assert json.loads(told[0])["lost"] > 0
    assert MARKER not in taken.text()


def test_end_is_not_held_by_the_log(daemon: Daemon, server: Server, full_pipe: tuple[int, int]) -> None:
    """F-49, F-53: what still waits to be written is given up on."""
    _, log = full_pipe
    daemon.process = subprocess.Popen(
        [*COMMAND, "run", "--config", str(daemon.config)],
        stdin=subprocess.DEVNULL,
        stderr=log,
        env=environment(),
    )
    os.close(log)
    daemon.wait_for(state="fresh")
    code, seconds = daemon.stop()
    assert 0 == code
    assert seconds < END_SECONDS


def many_tokens(directory: Path, server: Server) -> str:
    """Their tables; each has a client of its own."""
    store(directory, server.register("deploy").reveal())
    for number in range(MANY):
        secret = server.register(f"c{number}", lifetime_seconds=43_200).reveal()
        (directory / "secrets" / f"c{number}").write_text(json.dumps({"client_secret": secret}))
    tables = "".join(token(f"t{number}", client=f"c{number}") for number in range(MANY))
    return tables.replace('poll_secret_version = "1s"', 'poll_secret_version = "60s"')
