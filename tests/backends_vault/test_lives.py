"""Vault tokens whose life a real OpenBao ends: by a maximum, by being batch tokens, by us at exit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from broker.api import SecretBackendUnavailable
from tests.backends_vault.broker_side import BrokerSide, put_file
from tests.backends_vault.readable import SECRET, readable
from tests.contract.fault_server import Asked, FaultServer, Reply, running_fault_server
from tests.scale import scaled
from tests.servers.http import ask
from tests.servers.openbao import OpenBao
from tests.waiting import eventually

RENEWAL = "auth/token/renew-self"
REVOCATION = "/v1/auth/token/revoke-self"
HUNG_SECONDS = 20.0
"""The broker gives a backend two to close; this tells one that waits for the answer, also on a busy machine."""

RoleMaker = Callable[..., tuple[BrokerSide, str]]


@pytest.fixture
def broker_with(openbao: OpenBao, tmp_path: Path, request: pytest.FixtureRequest) -> RoleMaker:
    """Make a backend of an AppRole with these limits; and the path of the secret that it may read."""

    def make(*, revoke_on_exit: bool = False, **limits: str) -> tuple[BrokerSide, str]:
        found = readable(openbao, request)
        role = openbao.approle([found.policy])
        openbao.request("POST", f"auth/approle/role/{role.name}", limits)
        auth = {
            "method": "approle",
            "role_id": role.role_id,
            "secret_id_file": put_file(tmp_path / "secret-id", role.secret_id),
        }
        table: dict[str, Any] = {"url": openbao.url, "allow_insecure_loopback": True, "auth": auth}
        return BrokerSide({**table, "revoke_on_exit": revoke_on_exit}), found.path

    return make


@pytest.mark.backends
@pytest.mark.soak
def test_maximum_life_costs_no_read(openbao: OpenBao, broker_with: RoleMaker) -> None:
    """R-090, F-24: renewed as long as that helps, then a login; every read succeeds, with a live token."""
    broker, path = broker_with(token_ttl="15s", token_max_ttl="24s")  # nothing is due but five seconds ahead
    renewals = len(openbao.requests(RENEWAL))
    lookups = len(openbao.requests("auth/token/lookup-self"))
    lives = scaled(short=2, whole=20)

    def lived() -> bool:
        assert SECRET == broker.read(path)
        return len(broker.logins) >= lives

    eventually(lived, timeout=lives * 60, what="so many logins")
    assert {"success"} == set(broker.logins)
    assert len(openbao.requests(RENEWAL)) - renewals >= lives - 1
    assert lookups == len(openbao.requests("auth/token/lookup-self"))  # none was found dead


@pytest.mark.backends
def test_batch_tokens_are_replaced_in_time(openbao: OpenBao, broker_with: RoleMaker) -> None:
    """R-090: they cannot be renewed, so nobody tries; a login at two thirds of each life."""
    broker, path = broker_with(token_type="batch", token_ttl="12s")
    renewals = len(openbao.requests(RENEWAL))

    def lived() -> bool:
        assert SECRET == broker.read(path)
        return len(broker.logins) >= 3

    eventually(lived, what="three logins")
    assert ({"success"}, renewals) == (set(broker.logins), len(openbao.requests(RENEWAL)))
    assert broker.token.startswith("b.")


def test_batch_token_is_not_revoked_at_exit(openbao: OpenBao, broker_with: RoleMaker) -> None:
    """The server keeps no record of it, and would only say no."""
    broker, path = broker_with(token_type="batch", token_ttl="60s", revoke_on_exit=True)
    broker.read(path)
    revocations = len(openbao.requests("auth/token/revoke-self"))
    broker.backend.close()
    assert revocations == len(openbao.requests("auth/token/revoke-self"))


def test_token_from_a_file_is_never_revoked(
    openbao: OpenBao, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """R-091: it is shared, whatever revoke_on_exit says."""
    found = readable(openbao, request)
    token = openbao.create_token([found.policy, "default"])
    auth = {"method": "token_file", "path": put_file(tmp_path / "token", token)}
    table = {"url": openbao.url, "allow_insecure_loopback": True, "auth": auth, "revoke_on_exit": True}
    broker = BrokerSide(table)
    broker.read(found.path)
    broker.backend.close()
    assert (
        200 == ask("GET", f"{openbao.url}/v1/auth/token/lookup-self", headers={"X-Vault-Token": token}).status
    )


@pytest.mark.backends
def test_token_in_a_file_that_is_about_to_end_is_not_taken_for_an_endless_one(
    openbao: OpenBao, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A life of less than a second is written as zero, as that of a root token is."""
    found = readable(openbao, request)
    token = openbao.create_token([found.policy, "default"], ttl="2s", renewable=False)
    auth = {"method": "token_file", "path": put_file(tmp_path / "token", token)}
    broker = BrokerSide({"url": openbao.url, "allow_insecure_loopback": True, "auth": auth})

    def ended() -> bool:
        try:
            broker.read(found.path)
        except SecretBackendUnavailable:
            return True
        held = broker.backend._login.held
        assert held is not None
        assert held.ends_at < float("inf")
        return False

    assert eventually(ended, what="the end of the token")
    with pytest.raises(SecretBackendUnavailable, match="put a new one there"):
        broker.read(found.path)


def test_every_read_names_the_file_whose_token_the_server_forgot(
    openbao: OpenBao, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Not only the one that found out; and a new token there is used at once."""
    found = readable(openbao, request)
    token, path = openbao.create_token([found.policy, "default"]), tmp_path / "token"
    auth = {"method": "token_file", "path": put_file(path, token)}
    broker = BrokerSide({"url": openbao.url, "allow_insecure_loopback": True, "auth": auth})
    broker.read(found.path)
    openbao.revoke_token(token)
    for _ in range(3):
        with pytest.raises(SecretBackendUnavailable, match=f"{path} is expired.*: put a new one there"):
            broker.read(found.path)
    put_file(path, openbao.create_token([found.policy, "default"]))
    assert SECRET == broker.read(found.path)


def test_hung_revocation_does_not_delay_the_exit(tmp_path: Path) -> None:
    """R-102: the token then dies by itself."""
    released = threading.Event()

    def script(asked: Asked) -> Reply:
        if asked.path.endswith("/login"):
            return Reply(body={"auth": {"client_token": "S3CR3T-t", "lease_duration": 60, "renewable": True}})
        if asked.path == REVOCATION:
            released.wait(HUNG_SECONDS)
        return Reply(body={"data": {"data": {"client_secret": SECRET}, "metadata": {"version": 1}}})

    secret_id_file = put_file(tmp_path / "secret-id", "S3CR3T-secret-id")
    auth = {"method": "approle", "role_id": "r", "secret_id_file": secret_id_file}
    with running_fault_server(script) as server:
        broker = BrokerSide(
            {"url": server.url, "allow_insecure_loopback": True, "auth": auth, "revoke_on_exit": True}
        )
        broker.read("odc")
        before = time.monotonic()
        broker.backend.close()
        took = time.monotonic() - before
        released.set()
        assert 1 == len(server.asked(REVOCATION))
    assert took < HUNG_SECONDS / 2


@pytest.fixture
def behind(tmp_path: Path) -> dict[str, Any]:
    """A table whose server is a standby that has not caught up, unless it may forward."""
    return {
        "allow_insecure_loopback": True,
        "auth": {"method": "token_file", "path": put_file(tmp_path / "t", "S3CR3T-t")},
    }


def standby(asked: Asked) -> Reply:
    """Answer 412 to reads that may not be forwarded."""
    if asked.path.endswith("/lookup-self"):
        return Reply(body={"data": {"ttl": 60, "renewable": False}})
    if "forward-active-node" != asked.headers.get("x-vault-inconsistent"):
        return Reply(412, {"errors": ["required index state not present"]})
    return Reply(body={"data": {"data": {"client_secret": SECRET}, "metadata": {"version": 1}}})


def test_standby_that_is_behind_forwards_where_that_is_configured(behind: dict[str, Any]) -> None:
    """R-099: the header goes with reads and with nothing else."""
    with running_fault_server(standby) as server:
        broker = BrokerSide({**behind, "url": server.url, "forward_inconsistent": True})
        assert SECRET == broker.read("odc")
        assert [None, "forward-active-node"] == [
            asked.headers.get("x-vault-inconsistent") for asked in server.ledger
        ]


def test_standby_that_is_behind_is_told_as_one(behind: dict[str, Any]) -> None:
    """R-088, R-100: one attempt; the broker tries again a second later, as after any failure that passes."""
    with running_fault_server(standby) as server:
        with pytest.raises(SecretBackendUnavailable, match="has not caught up with a write yet"):
            BrokerSide({**behind, "url": server.url}).read("odc")
        assert 1 == reads_of(server)


def reads_of(server: FaultServer) -> int:
    """How often the secret was asked for."""
    return len(server.asked("/v1/secret/data/odc"))
