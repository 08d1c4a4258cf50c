"""The test servers themselves: each starts, does what the fixtures promise, and is counted right."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.cache import missing
from tests.servers.http import ask
from tests.servers.moto import Moto
from tests.servers.nginx import BODY_BYTES, HOW_TO_INSTALL, find_nginx, running_nginx
from tests.servers.openbao import OpenBao


def read_as(openbao: OpenBao, token: str, path: str) -> int:
    """The status of a read with this token."""
    return ask("GET", f"{openbao.url}/v1/{path}", headers={"X-Vault-Token": token}).status


def test_openbao_gives_a_secret_to_an_approle_that_may_read_it(openbao: OpenBao) -> None:
    """A role reads the path its policy names and no other."""
    openbao.put_secret("smoke/mine", {"client_secret": "S3CR3T-smoke"})
    openbao.put_secret("smoke/other", {"client_secret": "S3CR3T-smoke"})
    role = openbao.approle([openbao.allow_reading("smoke", "secret/data/smoke/mine")])
    token = openbao.login(role)
    assert (200, 403) == (
        read_as(openbao, token, "secret/data/smoke/mine"),
        read_as(openbao, token, "secret/data/smoke/other"),
    )


def test_openbao_numbers_versions_and_takes_them_away(openbao: OpenBao) -> None:
    """A write makes a version; deleted comes back, destroyed does not."""
    versions = [openbao.put_secret("smoke/versions", {"n": str(n)}) for n in (1, 2)]
    openbao.delete_versions("smoke/versions", [2])
    deleted = read_as(openbao, openbao.root_token, "secret/data/smoke/versions")
    openbao.undelete_versions("smoke/versions", [2])
    undeleted = read_as(openbao, openbao.root_token, "secret/data/smoke/versions")
    openbao.destroy_versions("smoke/versions", [2])
    destroyed = openbao.metadata("smoke/versions")["versions"]["2"]["destroyed"]
    assert ([1, 2], 404, 200, True) == (versions, deleted, undeleted, destroyed)


def test_openbao_serves_kv_v1(openbao: OpenBao) -> None:
    """The unversioned engine is mounted at kv1."""
    openbao.put_secret_v1("smoke", {"client_secret": "S3CR3T-smoke"})
    answer = openbao.request("GET", "kv1/smoke")
    assert {"client_secret": "S3CR3T-smoke"} == answer.json["data"]


def test_openbao_ledger_counts_served_and_refused_reads(openbao: OpenBao) -> None:
    """Every request for a path is in the ledger, with the error when there was one."""
    openbao.put_secret("smoke/ledger", {"n": "1"})
    read_as(openbao, openbao.root_token, "secret/data/smoke/ledger")
    read_as(openbao, "S3CR3T-no-such-token", "secret/data/smoke/ledger")
    reads = openbao.requests("secret/data/smoke/ledger", operation="read")
    assert [True, False] == [request.error == "" for request in reads]


def test_openbao_answers_503_while_sealed_and_keeps_its_data(openbao: OpenBao) -> None:
    """Sealing takes everything away, unsealing gives it back."""
    openbao.put_secret("smoke/sealed", {"n": "1"})
    with openbao.sealed():
        sealed = read_as(openbao, openbao.root_token, "secret/data/smoke/sealed")
    assert (503, 200) == (sealed, read_as(openbao, openbao.root_token, "secret/data/smoke/sealed"))


def test_openbao_forgets_a_revoked_token(openbao: OpenBao) -> None:
    """Revoked one by one, or all logins at once: the token is refused from then on."""
    role = openbao.approle([openbao.allow_reading("revoke", "secret/data/smoke/revoke")])
    openbao.put_secret("smoke/revoke", {"n": "1"})
    single, other = openbao.login(role), openbao.login(role)
    openbao.revoke_token(single)
    after_one = [read_as(openbao, token, "secret/data/smoke/revoke") for token in (single, other)]
    openbao.revoke_all_logins()
    assert ([403, 200], 403) == (after_one, read_as(openbao, other, "secret/data/smoke/revoke"))


def test_openbao_over_tls_is_trusted_by_its_own_authority(openbao_tls: OpenBao) -> None:
    """The second server speaks https, and its operator reaches it through ca_file."""
    assert 1 == openbao_tls.put_secret("smoke/tls", {"n": "1"})
    assert openbao_tls.url.startswith("https://127.0.0.1:")


def test_moto_keeps_a_secret_until_it_is_reset(moto: Moto) -> None:
    """Secrets Manager stores a secret, stages versions, and forgets on reset."""
    manager = moto.client("secretsmanager")
    manager.create_secret(Name="smoke", SecretString='{"client_secret": "S3CR3T-smoke-1"}')
    manager.put_secret_value(SecretId="smoke", SecretString='{"client_secret": "S3CR3T-smoke-2"}')
    current = manager.get_secret_value(SecretId="smoke", VersionStage="AWSCURRENT")["SecretString"]
    moto.reset()
    assert '{"client_secret": "S3CR3T-smoke-2"}' == current
    assert [] == manager.list_secrets()["SecretList"]


def test_nginx_returns_the_fixed_body_over_its_socket(tmp_path: Path) -> None:
    """The baseline of the benchmark answers on a Unix socket."""
    program = find_nginx()
    if program is None:
        missing("nginx", HOW_TO_INSTALL)
    with running_nginx(program, tmp_path) as path, socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert (b"HTTP/1.1 200 OK", BODY_BYTES) == (head.splitlines()[0], len(body))
