"""The end, with everything that the daemon might wait for hung (F-49)."""

from __future__ import annotations

import socket
from pathlib import Path

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.daemon.running import END_SECONDS, Daemon, UnixConnection, local_tables, store
from tests.faults import plugins
from tests.faults.daemons import authorization_server, token
from tests.waiting import eventually

Server = DevelopmentAuthorizationServer


def test_sigterm_with_every_upstream_a_black_hole(tmp_path: Path, server: Server) -> None:
    """F-49, R-061, R-147: two servers, Vault and a plug-in hang, a reader waits for a token: exit 0 within 5 s."""
    secret = server.register("deploy").reveal()
    store(tmp_path, secret)
    server.fault("token", "hang")
    (tmp_path / "token").write_text("S3CR3T-vault-token")
    with Server(marker="S3CR3T-") as unknown, socket.create_server(("127.0.0.1", 0)) as black_hole:
        unknown.fault("metadata", "hang")
        vault = f"""
[secret_backends.corp]
type = "vault"
url = "http://127.0.0.1:{black_hole.getsockname()[1]}"
allow_insecure_loopback = true
auth = {{ method = "token_file", path = "{tmp_path}/token" }}
"""
        tables = (
            local_tables(server, tmp_path)
            + vault
            + plugins.backend("hang")
            + authorization_server("unknown", unknown.discovery_url, unknown.issuer)
            + token("unknown", server="unknown")
            + token("sealed", backend="corp", client="sealed")
            + token("stuck", backend="hang", client="stuck")
        )
        with Daemon(tmp_path, tables, extra=plugins.install(tmp_path)) as daemon:
            black_hole.settimeout(60)
            hung, _ = black_hole.accept()
            eventually(lambda: server.ledger.count("token"), what="the hung mint")
            eventually(lambda: unknown.ledger.count("metadata"), what="the hung metadata")
            reader = UnixConnection(daemon.socket)
            reader.request("GET", "/v1/tokens/deploy?wait=30s")
            code, seconds = daemon.stop()
            reader.close()
            hung.close()
    assert 0 == code
    assert seconds < END_SECONDS
    assert not daemon.socket.exists()
