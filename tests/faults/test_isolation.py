"""One healthy token among neighbours whose servers and backends do everything wrong."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.daemon.running import END_SECONDS, Daemon, local_tables, store
from tests.faults import plugins
from tests.faults.daemons import UNDISTURBED_SECONDS, authorization_server, renewed, token
from tests.faults.test_tls import serving

Server = DevelopmentAuthorizationServer


def assert_undisturbed(daemon: Daemon) -> None:
    """The healthy token is minted in no time when asked for, and is served at once."""
    assert renewed(daemon) < UNDISTURBED_SECONDS
    began = time.monotonic()
    for _ in range(50):
        assert 200 == daemon.ask("/v1/tokens/deploy")[0]
    assert time.monotonic() - began < UNDISTURBED_SECONDS
    assert 200 == daemon.ops("/readyz/deploy")[0]


@pytest.mark.slow
def test_neighbours_that_explode_and_hang_change_nothing(tmp_path: Path, server: Server) -> None:
    """F-03, F-14, R-062, R-063, R-179: a healthy token beside four servers' and ten plug-ins' worth of trouble.

    An answer that drips byte by byte, at the token endpoint and as metadata; a handshake that stalls; a plug-in that
    raises all sorts of exceptions, and one that never returns. Each is given up on in its time (metadata and
    handshake 10 s, a backend 12 s, an access token request 30 s) and told with its own name.
    """
    secret = server.register("deploy").reveal()
    store(tmp_path, secret)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with ExitStack() as stack:
        dripping = stack.enter_context(Server(marker="S3CR3T-"))
        unknown = stack.enter_context(Server(marker="S3CR3T-"))
        stalled = stack.enter_context(
            Server(marker="S3CR3T-", tls=serving(authority.issue_cert("127.0.0.1")))
        )
        stalled.register("deploy", secret=secret)
        stalled.stop()
        silent = stack.enter_context(socket.create_server(("127.0.0.1", int(stalled.url.rpartition(":")[2]))))
        dripping.fault("token", "drip")
        unknown.fault("metadata", "drip")
        tables = local_tables(server, tmp_path)
        for name, other, trust in (
            ("dripping", dripping, ""),
            ("unknown", unknown, ""),
            ("stalled", stalled, f'ca_file = "{tmp_path}/ca.pem"'),
        ):
            tables += authorization_server(name, other.discovery_url, other.issuer, trust=trust)
            tables += token(name, server=name)
        for way in plugins.WAYS:
            tables += plugins.backend(way) + token(way, backend=way, client=way)
        daemon = stack.enter_context(Daemon(tmp_path, tables, extra=plugins.install(tmp_path)))

        daemon.wait_for(state="fresh", condition="ok", timeout=9)
        assert_undisturbed(daemon)
        for way, told in plugins.WAYS.items():
            record = daemon.wait_for(name=way, state="absent", condition=told.condition)
            assert told.words in record["reason"]
        for name in ("unknown", "stalled"):
            record = daemon.wait_for(name=name, condition="unreachable")
            assert "no answer within 10 s" in record["reason"]
        silent.close()
        stalled.start()
        daemon.wait_for(name="stalled", state="fresh", condition="ok")
        record = daemon.wait_for(name="dripping", condition="unreachable")
        assert "no answer within 30 s" in record["reason"]
        assert_undisturbed(daemon)
        assert 3 == daemon.record()["revision"]
        code, seconds = daemon.stop()
    assert 0 == code
    assert seconds < END_SECONDS
    assert 40 > max(line["duration_seconds"] for line in daemon.lines("mint_failed"))
    assert [] == daemon.lines("task_failed")
    assert "never retrieved" not in daemon.log.read_text()
