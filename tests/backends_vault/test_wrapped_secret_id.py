"""Secret-ids in a response wrapping of a real OpenBao: opened once, by us, or there is an alarm (R-094, F-27)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from backends.vault.login import RELOGIN_PAUSE_SECONDS
from broker.api import SecretBackendUnavailable
from tests.backends_vault.broker_side import BrokerSide, put_file
from tests.contract.fault_server import Asked, Reply, running_fault_server
from tests.servers.http import ask
from tests.servers.openbao import AppRole, OpenBao

LOOKUP = "sys/wrapping/lookup"
UNWRAP = "sys/wrapping/unwrap"
LOGIN = "auth/approle/login"
HOUR = 3600


class Delivery:
    """A role whose secret-ids are delivered wrapped into a file, and a secret that it may read."""

    def __init__(self, openbao: OpenBao, directory: Path, name: str) -> None:
        self.path = f"wrapped/{name}"
        self.openbao = openbao
        self.file = directory / "secret-id"
        openbao.put_secret(self.path, {"client_secret": "S3CR3T-wrapped"})
        policy = openbao.allow_reading(name, f"secret/data/{self.path}", f"secret/metadata/{self.path}")
        self.role: AppRole = openbao.approle([policy], name=name)

    def deliver(self, role: str = "", *, endpoint: str = "secret-id", ttl: str = "60s") -> str:
        """Put a new wrapping into the file; answer its token."""
        token = self.wrap(f"auth/approle/role/{role or self.role.name}/{endpoint}", {}, ttl=ttl)
        put_file(self.file, token)
        return token

    def wrap(self, path: str, body: Mapping[str, str], *, ttl: str = "60s") -> str:
        """Whatever this request answers, in a wrapping."""
        headers = {"X-Vault-Token": self.openbao.root_token, "X-Vault-Wrap-TTL": ttl}
        answer = ask("POST", f"{self.openbao.url}/v1/{path}", json_body=body, headers=headers)
        token: str = answer.json["wrap_info"]["token"]
        return token

    def broker(self, **more: Any) -> BrokerSide:
        auth = {
            "method": "approle",
            "role_id": self.role.role_id,
            "secret_id_file": str(self.file),
            "secret_id_wrapped": True,
            "creation_role": self.role.name,
            **more,
        }
        return BrokerSide({"url": self.openbao.url, "allow_insecure_loopback": True, "auth": auth})

    def counts(self) -> tuple[int, int, int]:
        """How many lookups, unwrappings and logins the server has seen, by anybody."""
        lookups, openings, logins = (len(self.openbao.requests(path)) for path in (LOOKUP, UNWRAP, LOGIN))
        return lookups, openings, logins


@pytest.fixture
def delivery(openbao: OpenBao, tmp_path: Path, request: pytest.FixtureRequest) -> Delivery:
    """A role of the test's own."""
    return Delivery(openbao, tmp_path, request.node.originalname.removeprefix("test_").replace("_", "-"))


def since(delivery: Delivery, before: tuple[int, int, int]) -> tuple[int, ...]:
    """What the server has seen since then."""
    return tuple(now - then for now, then in zip(delivery.counts(), before, strict=True))


def alarmed(broker: BrokerSide, path: str, finding: str) -> None:
    """Read twice, an hour apart; the alarm is the same and was told once."""
    for _ in range(2):
        with pytest.raises(SecretBackendUnavailable, match=finding) as caught:
            broker.read(path)
        assert "wrapping_refused" == caught.value.code
        assert caught.value.message.startswith("SECURITY ALARM: ")
        broker.ahead_seconds += HOUR
    assert 1 == len([each for each in broker.warnings if each.startswith("SECURITY ALARM: ")])


def test_wrapping_is_looked_at_and_opened_once(delivery: Delivery) -> None:
    """Later logins use what was in it."""
    delivery.deliver()
    broker = delivery.broker()
    before = delivery.counts()
    assert "S3CR3T-wrapped" == broker.read(delivery.path)
    delivery.openbao.revoke_token(broker.token)
    assert "S3CR3T-wrapped" == broker.read(delivery.path)
    assert ((1, 1, 2), ["success"] * 2, []) == (since(delivery, before), broker.logins, broker.warnings)


def test_backend_that_is_built_anew_knows_what_was_opened(delivery: Delivery) -> None:
    """After an abandoned call, or a reload, in the same process; the file may be gone by then."""
    delivery.deliver()
    delivery.broker().read(delivery.path)
    before = delivery.counts()
    assert "S3CR3T-wrapped" == delivery.broker().read(delivery.path)
    delivery.file.unlink()
    assert "S3CR3T-wrapped" == delivery.broker().read(delivery.path)
    assert (0, 0, 2) == since(delivery, before)


def test_new_wrapping_is_opened_when_it_comes(delivery: Delivery) -> None:
    """It will not last until the next login is due."""
    delivery.deliver()
    broker = delivery.broker()
    broker.read(delivery.path)
    delivery.deliver()
    before = delivery.counts()
    assert "S3CR3T-wrapped" == broker.read(delivery.path)
    assert (1, 1, 1) == since(delivery, before)


def test_wrapping_that_somebody_opened_is_an_alarm(delivery: Delivery) -> None:
    """Nothing is opened, no login is tried; a new wrapping ends it at once."""
    spent = delivery.deliver()
    answer = ask("POST", f"{delivery.openbao.url}/v1/{UNWRAP}", headers={"X-Vault-Token": spent})
    assert 200 == answer.status
    broker = delivery.broker()
    before = delivery.counts()
    alarmed(broker, delivery.path, "was opened already, has expired, or never was one")
    assert (0, 0) == since(delivery, before)[1:]  # the server's ledger leaves out lookups of dead tokens
    delivery.deliver()
    assert "S3CR3T-wrapped" == broker.read(delivery.path)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("sys/wrapping/wrap", {"secret_id": "S3CR3T-planted"}, id="wrapped-again"),
        pytest.param("auth/approle/role/{role}-2/secret-id", {}, id="prefix-equal-role"),
        pytest.param("auth/approle/role/{role}/custom-secret-id", {"secret_id": "S3CR3T-own"}, id="custom"),
        pytest.param("auth/other/role/{role}/secret-id", {}, id="other-mount"),
    ],
)
def test_wrapping_made_elsewhere_is_an_alarm_and_stays_closed(
    delivery: Delivery, path: str, body: dict[str, str]
) -> None:
    """Whoever opened the true one would put a wrapping of his own there."""
    name = delivery.role.name
    delivery.openbao.approle([], name=f"{name}-2")
    if "auth/other/" in path and "other/" not in delivery.openbao.request("GET", "sys/auth").json["data"]:
        delivery.openbao.request("POST", "sys/auth/other", {"type": "approle"})
    if "auth/other/" in path:
        delivery.openbao.request("POST", f"auth/other/role/{name}", {})
    put_file(delivery.file, delivery.wrap(path.format(role=name), body))
    broker = delivery.broker()
    before = delivery.counts()
    alarmed(broker, delivery.path, rf"was not made by auth/approle/role/{name}/secret-id")
    assert (1, 0, 0) == since(delivery, before)


def test_without_a_creation_role_any_role_of_the_mount_will_do(delivery: Delivery) -> None:
    """But nothing else will: what is wrapped by hand is still an alarm."""
    delivery.deliver()
    broker = delivery.broker(creation_role=None)
    assert "S3CR3T-wrapped" == broker.read(delivery.path)
    put_file(delivery.file, delivery.wrap("sys/wrapping/wrap", {"secret_id": "S3CR3T-planted"}))
    alarmed(
        delivery.broker(creation_role=None), delivery.path, "was not made by auth/approle/role/NAME/secret-id"
    )


def test_alarm_leaves_the_login_that_works_in_use(delivery: Delivery) -> None:
    """R-091: a bad wrapping takes nothing away; the old Vault token is even renewed."""
    delivery.deliver()
    broker = delivery.broker()
    broker.read(delivery.path)
    token = broker.token
    put_file(delivery.file, delivery.wrap("sys/wrapping/wrap", {"secret_id": "S3CR3T-planted"}))
    renewals = len(delivery.openbao.requests("auth/token/renew-self"))
    for _ in range(3):
        broker.ahead_seconds += 2500
        assert "S3CR3T-wrapped" == broker.read(delivery.path)
    assert (token, True) == (broker.token, broker.warnings[0].startswith("SECURITY ALARM: "))
    assert renewals + 3 == len(delivery.openbao.requests("auth/token/renew-self"))


def test_secret_id_that_is_used_up_is_named_by_its_accessor(delivery: Delivery) -> None:
    """R-095: the server does not say what is wrong with a secret-id; we say which one it is."""
    limits = {"secret_id_num_uses": 1}
    delivery.openbao.request("POST", f"auth/approle/role/{delivery.role.name}", limits)
    delivery.deliver()
    broker = delivery.broker()
    broker.read(delivery.path)
    delivery.openbao.revoke_token(broker.token)
    with pytest.raises(SecretBackendUnavailable, match=r"\(accessor [0-9a-f-]{36}\) still valid") as caught:
        broker.read(delivery.path)
    assert "login_refused" == caught.value.code
    delivery.deliver()
    broker.ahead_seconds += RELOGIN_PAUSE_SECONDS
    assert "S3CR3T-wrapped" == broker.read(delivery.path)


@pytest.mark.parametrize("status", [400, 403, 404])
def test_refused_wrapping_is_asked_about_once(tmp_path: Path, status: int) -> None:
    """Never again with the same token, whoever reads and however long."""
    secret_id_file = put_file(tmp_path / "secret-id", "S3CR3T-wrapping")
    auth = {"method": "approle", "role_id": "r", "secret_id_file": secret_id_file, "secret_id_wrapped": True}
    with running_fault_server(lambda _: Reply(status, {"errors": []})) as server:
        broker = BrokerSide({"url": server.url, "allow_insecure_loopback": True, "auth": auth})
        alarmed(broker, "odc", "was opened already, has expired, or never was one")
        assert [f"/v1/{LOOKUP}"] == [asked.path for asked in server.ledger]


def test_server_that_is_away_at_the_lookup_is_no_alarm(tmp_path: Path) -> None:
    """The wrapping is whole; it is opened when the server is back."""
    wrapped = {"creation_path": "auth/approle/role/deploy/secret-id", "creation_ttl": 60}
    answers: dict[str, Any] = {
        f"/v1/{LOOKUP}": {"data": wrapped},
        f"/v1/{UNWRAP}": {"data": {"secret_id": "S3CR3T-opened"}},
        f"/v1/{LOGIN}": {"auth": {"client_token": "S3CR3T-token", "lease_duration": 60, "renewable": True}},
        "/v1/secret/data/odc": {
            "data": {"data": {"client_secret": "S3CR3T-back"}, "metadata": {"version": 1}}
        },
        "/v1/sys/seal-status": {"sealed": False},
    }
    sealed = True

    def script(asked: Asked) -> Reply:
        return Reply(503) if sealed else Reply(body=answers[asked.path])

    secret_id_file = put_file(tmp_path / "secret-id", "S3CR3T-wrapping")
    auth = {"method": "approle", "role_id": "r", "secret_id_file": secret_id_file, "secret_id_wrapped": True}
    with running_fault_server(script) as server:
        broker = BrokerSide({"url": server.url, "allow_insecure_loopback": True, "auth": auth})
        with pytest.raises(SecretBackendUnavailable, match="sealed or in maintenance"):
            broker.read("odc")
        sealed = False
        broker.ahead_seconds += 10
        assert ("S3CR3T-back", []) == (broker.read("odc"), broker.warnings)
        assert [None, "S3CR3T-wrapping", None] == [
            server.asked(f"/v1/{path}")[-1].headers.get("x-vault-token") for path in (LOOKUP, UNWRAP, LOGIN)
        ]
