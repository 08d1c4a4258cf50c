"""What goes wrong between the daemon and OpenBao, what the daemon says about it, and that it heals by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.daemon.running import Daemon, run_verb
from tests.end_to_end.relay import Relay
from tests.end_to_end.tables import (
    development_server,
    managed_token,
    marked,
    new_role,
    private_file,
    vault_backend,
    write_secret_id,
)
from tests.servers.openbao import OpenBao


def put_client(
    openbao: OpenBao, server: DevelopmentAuthorizationServer, path: str, client_id: str = "deploy"
) -> None:
    """Register a client and store its credentials."""
    secret = server.register(client_id).reveal()
    openbao.put_secret(path, {"client_id": client_id, "client_secret": secret})


def kv2(path: str) -> tuple[str, str]:
    """What a policy must allow for a secret on KV v2: its value and its version."""
    return f"secret/data/{path}", f"secret/metadata/{path}"


def said(record: dict[str, Any]) -> tuple[str, str, str]:
    """State, condition and error class of a record."""
    return record["state"], record["condition"], record["last_error"]


def test_backend_comes_and_goes(
    tmp_path: Path, openbao: OpenBao, server: DevelopmentAuthorizationServer
) -> None:
    """F-22, R-008: without it there is no first token; later the last good secret serves while it is away or sealed."""
    put_client(openbao, server, "outage/deploy")
    new_role(openbao, tmp_path, *kv2("outage/deploy"))
    with Relay(urlsplit(openbao.url).port or 0) as relay:
        backend = vault_backend(openbao, tmp_path, url=f"http://127.0.0.1:{relay.port}")
        tables = backend + development_server(server) + managed_token("outage/deploy")
        with Daemon(tmp_path, tables) as daemon:
            record = daemon.wait_for(condition="backend_unreachable")
            assert ("absent", "transient") == (record["state"], record["last_error"])
            assert f"secret backend corp: http://127.0.0.1:{relay.port}: connection refused" == record["reason"]
            assert 75 == run_verb("get", "deploy", "--socket", daemon.socket).returncode
            assert (503, 200) == (daemon.ops("/readyz")[0], daemon.ops("/livez")[0])
            relay.mend()
            daemon.wait_for(state="fresh", condition="ok", revision=1)

            relay.cut()
            assert 200 == daemon.ask("/v1/tokens/deploy/renew?wait=10s", "POST")[0]
            record = daemon.wait_for(condition="backend_unreachable", revision=2)
            assert "fresh" == record["state"]
            assert "connection refused" in record["reason"]
            assert 200 == daemon.ops("/readyz")[0]
            relay.mend()
            daemon.wait_for(condition="ok", revision=2)

            with openbao.sealed():
                assert 200 == daemon.ask("/v1/tokens/deploy/renew?wait=10s", "POST")[0]
                record = daemon.wait_for(condition="backend_unreachable", revision=3)
                assert "sealed" in record["reason"]
            daemon.wait_for(condition="ok", revision=3)
            assert 1.0 == daemon.metric("backend_authenticated", backend="corp")
    assert [200, 200, 200] == [entry.status for entry in server.ledger.entries("token")]


def test_each_fault_names_what_is_missing_and_heals_when_that_is_there(
    tmp_path: Path, openbao: OpenBao, server: DevelopmentAuthorizationServer
) -> None:
    """R-084, R-097: policy, path, field and login; the one token without a fault has its token all the while."""
    names = ("deploy", "denied", "absent", "fieldless", "stranger")
    for name in ("deploy", "denied", "stranger"):
        put_client(openbao, server, f"faults/{name}", name)
    openbao.put_secret("faults/fieldless", {"client_id": "fieldless", "password": marked("misnamed")})
    readable = [path for name in names if name != "denied" for path in kv2(f"faults/{name}")]
    new_role(openbao, tmp_path, *readable)
    stranger = new_role(openbao, tmp_path, *readable, name="strange")
    private_file(tmp_path / "strange.secret-id", marked("wrong-secret-id"))
    tables = vault_backend(openbao, tmp_path) + vault_backend(openbao, tmp_path, name="strange")
    tables += development_server(server)
    for name in names:
        backend = "strange" if name == "stranger" else "corp"
        tables += managed_token(f"faults/{name}", name=name, backend=backend)
    with Daemon(tmp_path, tables) as daemon:
        daemon.wait_for(state="fresh", condition="ok")

        denied = daemon.wait_for(name="denied", condition="backend_denied")
        assert ("absent", "configuration") == (denied["state"], denied["last_error"])
        assert 'add path "secret/data/faults/denied" { capabilities = ["read"] }' in denied["reason"]

        absent = daemon.wait_for(name="absent", condition="secret_missing")
        assert "secret backend corp: faults/absent: there is no such secret" in absent["reason"]

        fieldless = daemon.wait_for(name="fieldless", condition="secret_missing")
        assert "the secret at corp:faults/fieldless has no text field 'client_secret'" == fieldless["reason"]

        strange = daemon.wait_for(name="stranger", condition="backend_unreachable")
        assert f"the secret-id in {tmp_path}/strange.secret-id" in strange["reason"]

        codes = {name: run_verb("get", name, "--socket", daemon.socket).returncode for name in names}
        assert {"deploy": 0, "denied": 69, "absent": 69, "fieldless": 69, "stranger": 75} == codes
        assert 503 == daemon.ops("/readyz")[0]
        assert 200 == daemon.ops("/readyz/deploy")[0]
        assert 1 == server.ledger.count("token")

        new_role_paths = [path for name in names for path in kv2(f"faults/{name}")]
        policy = openbao.metadata  # noqa
        put_client(openbao, server, "faults/absent", "absent")
        put_client(openbao, server, "faults/fieldless", "fieldless")
        write_secret_id(openbao, stranger, tmp_path, name="strange")
        for name in ("absent", "fieldless", "stranger"):
            daemon.wait_for(name=name, state="fresh", condition="ok")
