"""What is done to the process itself: stopped, its log blocked, its clock set."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.cache import missing
from tests.daemon.running import COMMAND, Daemon, environment, local_tables, store
from tests.waiting import eventually

Server = DevelopmentAuthorizationServer


def test_log_that_nobody_reads_stops_nothing(daemon: Daemon, server: Server) -> None:
    """F-53: standard error is a full pipe; minting, serving and the end go on."""
    unread, log = os.pipe()
    os.set_blocking(log, False)
    filling = b"x" * 65_536
    try:
        while True:
            os.write(log, filling)
    except BlockingIOError:
        os.set_blocking(log, True)
    daemon.process = subprocess.Popen(
        [*COMMAND, "run", "--config", str(daemon.config)],
        stdin=subprocess.DEVNULL,
        stderr=log,
        env=environment(),
    )
    os.close(log)
    daemon.wait_for(state="fresh")
    for revision in (2, 3):
        assert daemon.ask("/v1/tokens/deploy/renew?wait=5s", "POST")[0] == 200
        assert daemon.record()["revision"] == revision
    code, seconds = daemon.stop()
    os.close(unread)
    assert code == 0
    assert seconds < 5
    assert server.ledger.count("token") == 3


def test_stopped_process_renews_when_it_goes_on(tmp_path: Path, server: Server) -> None:
    """F-44, R-071: SIGSTOP beyond the renewal point; after SIGCONT one mint makes up for it."""
    store(tmp_path, server.register("deploy", lifetime_seconds=24).reveal())
    with Daemon(tmp_path, local_tables(server, tmp_path)) as daemon:
        first = daemon.wait_for(state="fresh", revision=1)
        os.kill(daemon.pid, signal.SIGSTOP)
        due = first["next_renewal_at"] + 1
        eventually(lambda: time.time() > due, timeout=40, what="it is overdue")
        os.kill(daemon.pid, signal.SIGCONT)
        daemon.wait_for(state="fresh", revision=2)
        assert server.ledger.count("token") == 2


def test_wall_clock_steps_cost_at_most_a_mint(tmp_path: Path, server: Server) -> None:
    """F-42, R-067: an hour and ten years forth and back under the running process."""
    if shutil.which("faketime") is None:
        missing("libfaketime", "apt-get install faketime")
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    offset = tmp_path / "offset"
    offset.write_text("+0")
    store(tmp_path, server.register("deploy").reveal())
    fake = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with Daemon(tmp_path, local_tables(server, tmp_path), extra=fake) as daemon:
        before = daemon.wait_for(state="fresh", revision=1)
        for step in ("+1h", "-1h", "+3650d", "-3650d", "+0"):
            polls = daemon.metric("secret_fetches_total", backend="local", outcome="success") or 0.0
            offset.write_text(step)
            eventually(
                lambda polls=polls: (  # type: ignore[misc]  # bound for this round
                    (daemon.metric("secret_fetches_total", backend="local", outcome="success") or 0.0)
                    >= polls + 3
                ),
                what="three polls after the step",
            )
            assert daemon.record()["state"] == "fresh"
            assert daemon.ask("/v1/tokens/deploy")[0] == 200
        assert daemon.record()["expires_at"] == before["expires_at"]
        assert server.ledger.count("token") == 1
