"""What goes wrong between the daemon and OpenBao, what the daemon says about it, and that it heals by itself."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.daemon.running import Daemon, run_verb
from tests.end_to_end.relay import Relay
from tests.end_to_end.tables import (
    development_server,
    kv2,
    managed_token,
    marked,
    new_role,
    private_file,
    put_client,
    vault_backend,
    write_secret_id,
)
from tests.servers.openbao import OpenBao


def test_backend_comes_and_goes(
    tmp_path: Path, openbao: OpenBao, server: DevelopmentAuthorizationServer
) -> None:
    """F-22, R-008: without it there is no first token; later the last good secret serves while it is away or sealed."""
    put_client(openbao, server, "outage/deploy")
    new_role(openbao, tmp_path, kv2("outage/deploy"))
    with Relay(urlsplit(openbao.url).port or 0) as relay:
        backend = vault_backend(openbao, tmp_path, url=f"http://127.0.0.1:{relay.port}")
        tables = backend + development_server(server) + managed_token("outage/deploy")
        with Daemon(tmp_path, tables) as daemon:
            record = daemon.wait_for(condition="backend_unreachable")
            assert ("absent", "transient") == (record["state"], record["last_error"])
            assert (
                f"secret backend corp: http://127.0.0.1:{relay.port}: connection refused" == record["reason"]
            )
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
    paths = {name: f"faults/{name}" for name in names}
    for name in ("deploy", "denied", "stranger"):
        put_client(openbao, server, paths[name], name)
    openbao.put_secret(paths["fieldless"], {"client_id": "fieldless", "password": marked("misnamed")})
    allowed = kv2(*(path for name, path in paths.items() if name != "denied"))
    new_role(openbao, tmp_path, allowed, policy="faults")
    stranger = new_role(openbao, tmp_path, allowed, name="strange", policy="faults")
    private_file(tmp_path / "strange.secret-id", marked("wrong-secret-id"))
    tables = vault_backend(openbao, tmp_path) + vault_backend(openbao, tmp_path, name="strange")
    tables += development_server(server)
    for name in names:
        backend = "strange" if name == "stranger" else "corp"
        tables += managed_token(paths[name], name=name, backend=backend)
    with Daemon(tmp_path, tables) as daemon:
        daemon.wait_for(state="fresh", condition="ok")
        denied = daemon.wait_for(name="denied", condition="backend_denied", state="absent")
        assert 'add path "secret/data/faults/denied" { capabilities = ["read"] }' in denied["reason"]
        absent = daemon.wait_for(name="absent", condition="secret_missing", state="absent")
        assert "secret backend corp: faults/absent: there is no such secret" in absent["reason"]
        fieldless = daemon.wait_for(name="fieldless", condition="secret_missing", state="absent")
        assert "the secret at corp:faults/fieldless has no text field 'client_secret'" == fieldless["reason"]
        strange = daemon.wait_for(name="stranger", condition="backend_unreachable", state="absent")
        assert f"the secret-id in {tmp_path}/strange.secret-id" in strange["reason"]

        codes = {name: run_verb("get", name, "--socket", daemon.socket).returncode for name in names}
        assert {"deploy": 0, "denied": 69, "absent": 69, "fieldless": 69, "stranger": 75} == codes
        assert (503, 200) == (daemon.ops("/readyz")[0], daemon.ops("/readyz/deploy")[0])
        assert 1 == server.ledger.count("token")

        openbao.allow_reading("faults", *kv2(*paths.values()))
        put_client(openbao, server, paths["absent"], "absent")
        put_client(openbao, server, paths["fieldless"], "fieldless")
        write_secret_id(openbao, stranger, tmp_path, name="strange")
        for name in names:
            daemon.wait_for(name=name, state="fresh", condition="ok")
        assert 200 == daemon.ops("/readyz")[0]
        assert len(names) == server.ledger.count("token")


def test_secret_deleted_in_the_store_goes_on_serving_from_memory(
    tmp_path: Path, openbao: OpenBao, server: DevelopmentAuthorizationServer
) -> None:
    """R-097: soft-deleted, the last good secret mints and the condition says what happened; a new version heals it."""
    put_client(openbao, server, "deleted/deploy")
    new_role(openbao, tmp_path, kv2("deleted/deploy"))
    tables = vault_backend(openbao, tmp_path) + development_server(server) + managed_token("deleted/deploy")
    with Daemon(tmp_path, tables) as daemon:
        daemon.wait_for(state="fresh", condition="ok")
        openbao.delete_versions("deleted/deploy", [1])
        assert 200 == daemon.ask("/v1/tokens/deploy/renew?wait=10s", "POST")[0]
        record = daemon.wait_for(state="fresh", condition="secret_missing", revision=2)
        assert "version 1 was deleted: undelete it or write a new one" in record["reason"]
        openbao.undelete_versions("deleted/deploy", [1])
        daemon.wait_for(state="fresh", condition="ok", revision=2, secret_version="1")
