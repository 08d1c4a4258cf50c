"""A token that lives for seconds, whose renewal hangs: the next attempt still comes in time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.daemon.running import Daemon, local_tables, store
from tests.faults.readers import Reader, of_file, of_socket
from tests.waiting import eventually

Server = DevelopmentAuthorizationServer

LIFE_SECONDS = 24
"""Renewed after ten seconds, the shortest interval there is; five are lost to the answer that never comes, two at the
most are waited. That leaves as much for a machine that stops for a while."""


@pytest.mark.slow
def test_one_hung_answer_never_costs_a_short_lived_token(tmp_path: Path, server: Server) -> None:
    """F-02, R-029: nobody waits for half a minute with less than that to live: no reader finds an expired token."""
    secret = server.register("deploy", lifetime_seconds=LIFE_SECONDS).reveal()
    store(tmp_path, secret)
    with Daemon(
        tmp_path, local_tables(server, tmp_path, token="renew_at = 0.2", files='format = "json"')
    ) as daemon:
        daemon.wait_for(revision=1, condition="ok")
        token_file = tmp_path / "run" / "tokens" / "deploy"
        eventually(token_file.exists, what="the first publication")
        server.fault("token", "hang", times=1)
        readers = of_file(token_file, server), of_socket(daemon, "deploy", server)
        with Reader(readers[0]) as of_files, Reader(readers[1]) as of_sockets:
            daemon.wait_for(revision=2)
        assert [] == of_files.wrong
        assert [] == of_sockets.wrong
        eventually(
            lambda: 2 == json.loads(token_file.read_text())["revision"], what="the renewed token in the file"
        )
        assert 1 == len(daemon.lines("mint_failed"))
