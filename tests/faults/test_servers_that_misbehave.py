"""Authorization servers that send bombs, drip, hang or change their certificates, against the daemon as a process."""

from __future__ import annotations

import re
import ssl
from pathlib import Path

import pytest
import trustme

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.daemon.running import Daemon, local_tables, store

Server = DevelopmentAuthorizationServer
MIB = 1024 * 1024


def peak_bytes(daemon: Daemon) -> int:
    """The most memory that the process ever had."""
    status = Path(f"/proc/{daemon.pid}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


@pytest.mark.parametrize("fault", ["gzip-bomb", "endless", "nested", "long-number", "oversize"])
def test_bombs_cost_little_memory(daemon: Daemon, server: Server, fault: str) -> None:
    """F-07: refused as protocol errors, at less than 20 MB above what the daemon had, and the old token goes on."""
    daemon.start()
    daemon.wait_for(state="fresh")
    before = peak_bytes(daemon)
    server.fault("token", fault)
    daemon.ask("/v1/tokens/deploy/renew", "POST")
    daemon.wait_for(condition="protocol_error", state="stale", timeout=40)
    assert peak_bytes(daemon) - before < 20 * MIB
    assert daemon.ask("/v1/tokens/deploy")[0] == 200


def test_server_that_drips_delays_nobody_else(tmp_path: Path, server: Server) -> None:
    """F-03, R-062: one server sends a byte now and then; the tokens of another are minted and renewed meanwhile."""
    with DevelopmentAuthorizationServer(marker="S3CR3T-") as slow:
        store(tmp_path, server.register("deploy").reveal())
        slow.register("deploy")
        slow.fault("token", "drip")
        tables = local_tables(server, tmp_path)
        other = tables[tables.index("[authorization_servers.odc]") :]
        other = other.replace(".odc]", ".slow]").replace('"odc"', '"slow"').replace(".deploy", ".dripping")
        other = other.replace("tokens/deploy", "tokens/dripping")
        other = other.replace(server.discovery_url, slow.discovery_url).replace(server.issuer, slow.issuer)
        with Daemon(tmp_path, tables + other) as daemon:
            daemon.wait_for(state="fresh", timeout=5)
            assert daemon.record("dripping")["state"] == "absent"
            for revision in (2, 3):
                assert daemon.ask("/v1/tokens/deploy/renew?wait=5s", "POST")[0] == 200
                assert daemon.record()["revision"] == revision
            assert daemon.ops("/readyz/deploy")[0] == 200


def test_certificate_that_is_not_accepted_heals_when_the_authority_is_there(tmp_path: Path) -> None:
    """F-14: no request leaves while the certificate is not believed; a new ca_file is noticed without a restart."""
    right, wrong = trustme.CA(), trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    right.issue_cert("127.0.0.1").configure_cert(context)
    ca_file = tmp_path / "ca.pem"
    wrong.cert_pem.write_to_path(str(ca_file))
    with DevelopmentAuthorizationServer(marker="S3CR3T-", tls=context) as server:
        store(tmp_path, server.register("deploy").reveal())
        tables = local_tables(server, tmp_path).replace(
            "allow_insecure_loopback = true", f'ca_file = "{ca_file}"'
        )
        with Daemon(tmp_path, tables) as daemon:
            record = daemon.wait_for(condition="unreachable", state="absent")
            assert "certificate" in record["reason"]
            assert server.ledger.count() == 0
            right.cert_pem.write_to_path(str(tmp_path / "new.pem"))
            (tmp_path / "new.pem").replace(ca_file)
            daemon.wait_for(state="fresh", condition="ok", timeout=60)
