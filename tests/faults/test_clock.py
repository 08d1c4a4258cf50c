"""Time that jumps, and time that passes while the process stands still."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import ExitStack
from pathlib import Path

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.cache import missing, require
from tests.daemon.running import Daemon, local_tables, store
from tests.faults.daemons import token
from tests.faults.readers import Reader, of_socket
from tests.waiting import eventually

Server = DevelopmentAuthorizationServer

STEPS = ("+1h", "-1h", "+3650d", "-3650d", "+0")
SECONDS_BETWEEN_STEPS = 2.6
RENEWAL_FLOOR_SECONDS = 10
GOES_ON_SECONDS = 9.0
"""At once, on a machine that may stop for a while: no second renewal is due within ten."""


def stepping(offset: Path) -> dict[str, str]:
    """The environment in which `offset` moves the wall clock, and that alone."""
    require("faketime", "apt-get install faketime")
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not libraries:
        missing("libfaketime", "apt-get install libfaketime")
    set_clock(offset, "+0")
    return {
        "LD_PRELOAD": str(libraries[0]),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        # Made for an old glibc; with a new one it turns each hand-over of the interpreter's lock into a long wait.
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    }


def set_clock(offset: Path, step: str) -> None:
    """As a whole: a clock that is half written would be another fault."""
    new = offset.with_suffix(".new")
    new.write_text(step)
    new.replace(offset)


def test_steps_of_the_wall_clock_cost_nothing(tmp_path: Path, server: Server) -> None:
    """F-42, R-067: an hour and ten years forth and back: no token expires, none is minted but by its own schedule."""
    offset = tmp_path / "offset"
    store(tmp_path, server.register("deploy", lifetime_seconds=43_200).reveal())
    short = server.register("short", lifetime_seconds=20).reveal()
    (tmp_path / "secrets" / "short").write_text(json.dumps({"client_secret": short}))
    tables = local_tables(server, tmp_path) + token("short", client="short")
    started = time.monotonic()
    with ExitStack() as stack:
        daemon = stack.enter_context(Daemon(tmp_path, tables, extra=stepping(offset)))
        daemon.wait_for(state="fresh", revision=1)
        daemon.wait_for(name="short", state="fresh", revision=1)
        readers = [
            stack.enter_context(Reader(of_socket(daemon, name, server))) for name in ("deploy", "short")
        ]
        began = time.monotonic()
        for number, step in enumerate(STEPS, 1):
            set_clock(offset, step)
            due = began + number * SECONDS_BETWEEN_STEPS
            eventually(lambda due=due: time.monotonic() >= due, what="the next step")  # type: ignore[misc]  # bound for this round
            assert daemon.record()["state"] == "fresh"
        daemon.wait_for(name="short", state="fresh", revision=2)
        minted = eventually(
            lambda: as_minted(daemon, server), what="the ledger has what is served, and no more"
        )
    assert [] == [wrong for reader in readers for wrong in reader.wrong]
    assert min(reader.looks for reader in readers) > 100
    assert 1 == minted["deploy"]
    assert minted["short"] <= 1 + (time.monotonic() - started) / RENEWAL_FLOOR_SECONDS


def as_minted(daemon: Daemon, server: Server) -> dict[str, int]:
    """The revisions of both tokens, if they are as many as the server's answers; else none: one may be on its way."""
    revisions = {name: daemon.record(name)["revision"] for name in ("deploy", "short")}
    return revisions if sum(revisions.values()) == server.ledger.count("token") else {}


def test_stopped_process_never_serves_what_expired_meanwhile(tmp_path: Path, server: Server) -> None:
    """F-44, R-071: SIGSTOP beyond one token's end and another's renewal; after SIGCONT both are renewed at once."""
    store(tmp_path, server.register("deploy", lifetime_seconds=12).reveal())
    longer = server.register("longer", lifetime_seconds=21).reveal()
    (tmp_path / "secrets" / "longer").write_text(json.dumps({"client_secret": longer}))
    with Daemon(tmp_path, local_tables(server, tmp_path) + token("longer", client="longer")) as daemon:
        first = daemon.wait_for(state="fresh", revision=1)
        second = daemon.wait_for(name="longer", state="fresh", revision=1)
        os.kill(daemon.pid, signal.SIGSTOP)
        goes_on_at = max(first["expires_at"] + 1, second["next_renewal_at"] + 1)
        eventually(lambda: time.time() > goes_on_at, what="both are overdue")
        os.kill(daemon.pid, signal.SIGCONT)
        went_on = time.monotonic()
        status, served = daemon.ask("/v1/tokens/deploy?wait=20s")
        assert (200, 2) == (status, served["revision"])
        assert daemon.ask("/v1/tokens/longer?wait=20s")[0] == 200
        daemon.wait_for(name="longer", state="fresh", revision=2)
        daemon.wait_for(state="fresh", condition="ok", revision=2)
        assert time.monotonic() - went_on < GOES_ON_SECONDS
        assert server.ledger.count("token") == 4
