"""F-27 seen from outside: a wrapping that somebody else opened, in status, log and metrics of a daemon; and its end."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.backends_vault.broker_side import put_file
from tests.canary import MARKER
from tests.daemon.running import Daemon
from tests.end_to_end.tables import development_server, kv2, managed_token, put_client, vault_backend
from tests.servers.http import ask
from tests.servers.openbao import OpenBao


@pytest.fixture
def server() -> Iterator[DevelopmentAuthorizationServer]:
    """Where the token is minted in the end."""
    with DevelopmentAuthorizationServer(marker=MARKER) as running:
        yield running


def wrapping(openbao: OpenBao, role: str) -> str:
    """A wrapping token for a new secret-id of this role."""
    headers = {"X-Vault-Token": openbao.root_token, "X-Vault-Wrap-TTL": "60s"}
    answer = ask(
        "POST", f"{openbao.url}/v1/auth/approle/role/{role}/secret-id", json_body={}, headers=headers
    )
    token: str = answer.json["wrap_info"]["token"]
    return token


@pytest.mark.backends
def test_alarm_is_seen_everywhere_and_ends_with_a_new_wrapping(
    tmp_path: Path, openbao: OpenBao, server: DevelopmentAuthorizationServer
) -> None:
    """Told once as an alarm in the log; the token has its condition and reason; a new wrapping is all it takes."""
    put_client(openbao, server, "alarm/deploy")
    policy = openbao.allow_reading(f"alarm-{secrets.token_hex(4)}", *kv2("alarm/deploy"))
    role = openbao.approle([policy])
    stolen = wrapping(openbao, role.name)
    assert (
        200 == ask("POST", f"{openbao.url}/v1/sys/wrapping/unwrap", headers={"X-Vault-Token": stolen}).status
    )
    file = put_file(tmp_path / "wrapped", stolen)
    auth = (
        f'method = "approle", role_id = "{role.role_id}", secret_id_file = "{file}", '
        f'secret_id_wrapped = true, creation_role = "{role.name}"'
    )
    tables = (
        vault_backend(openbao, tmp_path, auth=auth)
        + development_server(server)
        + managed_token("alarm/deploy")
    )
    with Daemon(tmp_path, tables) as daemon:
        record = daemon.wait_for(state="absent", condition="backend_unreachable")
        assert (
            f"SECURITY ALARM: secret backend corp: the wrapping token in {file} was opened already"
            in record["reason"]
        )
        assert 0.0 == daemon.metric("backend_authenticated", backend="corp")
        warnings = [
            line
            for line in daemon.log.read_text().splitlines()
            if '"life_cycle"' in line and "SECURITY" in line
        ]
        assert 1 == len(warnings)
        assert "warning" in warnings[0]
        put_file(tmp_path / "wrapped", wrapping(openbao, role.name))
        daemon.wait_for(state="fresh", condition="ok")
        assert 1.0 == daemon.metric("backend_authenticated", backend="corp")
    assert stolen not in daemon.log.read_text()
