"""The policies that we ship, on a real OpenBao: all that the broker does works with them, and nothing else does."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from broker.api import SecretAccessDenied
from tests.backends_vault.broker_side import BrokerSide, put_file
from tests.servers.http import ask
from tests.servers.openbao import OpenBao

EXAMPLES = Path(__file__).parents[2] / "systemd" / "examples"
SECRET = "S3CR3T-under-a-policy"
PATH = "odc/deploy"


@dataclass(frozen=True, slots=True)
class Shipped:
    """A policy file, and the engine that it is for."""

    file: str
    mount: str
    kv_version: int

    @property
    def rules(self) -> str:
        """As shipped, but for the mount of the test's own engine."""
        return (EXAMPLES / self.file).read_text().replace('path "secret/', f'path "{self.mount}/')


SHIPPED = [
    pytest.param(Shipped("vault-policy.hcl", "shipped2", 2), id="kv2"),
    pytest.param(Shipped("vault-policy-kv1.hcl", "shipped1", 1), id="kv1"),
]
STRANGERS = [
    ("GET", "{mount}/{data}odc/deploy2"),
    ("GET", "{mount}/{data}odc"),
    ("GET", "{mount}/{data}odc/deploy/below"),
    ("LIST", "{mount}/{metadata}"),
    ("LIST", "{mount}/{metadata}odc"),
    ("LIST", "{mount}/{metadata}odc/deploy"),
    ("PUT", "{mount}/{data}odc/deploy"),
    ("DELETE", "{mount}/{data}odc/deploy"),
    ("DELETE", "{mount}/{metadata}odc/deploy"),
    ("PUT", "{mount}/delete/odc/deploy"),
    ("PUT", "{mount}/destroy/odc/deploy"),
    ("GET", "{mount}/config"),
    ("GET", "secret/data/odc/deploy"),
    ("GET", "sys/mounts"),
    ("GET", "sys/policies/acl/default"),
    ("GET", "cubbyhole/any"),
    ("PUT", "auth/token/create"),
    ("LIST", "auth/approle/role"),
    ("PUT", "sys/wrapping/wrap"),
]


def token_side(openbao: OpenBao, shipped: Shipped, directory: Path) -> BrokerSide:
    """A broker whose role has exactly this policy, not even the default one."""
    version = {"version": str(shipped.kv_version)}
    if f"{shipped.mount}/" not in openbao.request("GET", "sys/mounts").json["data"]:
        openbao.request("POST", f"sys/mounts/{shipped.mount}", {"type": "kv", "options": version})
        put = openbao.put_secret if shipped.kv_version == 2 else openbao.put_secret_v1
        for path in (PATH, "odc/deploy2"):
            put(path, {"client_secret": SECRET}, mount=shipped.mount)
    policy = openbao.write_policy(f"shipped-{shipped.mount}", shipped.rules)
    role = openbao.approle([policy])
    openbao.request("POST", f"auth/approle/role/{role.name}", {"token_no_default_policy": True})
    secret_id_file = put_file(directory / "secret-id", role.secret_id)
    auth = {"method": "approle", "role_id": role.role_id, "secret_id_file": secret_id_file}
    table: dict[str, Any] = {
        "url": openbao.url,
        "allow_insecure_loopback": True,
        "mount": shipped.mount,
        "kv_version": shipped.kv_version,
        "auth": auth,
        "revoke_on_exit": True,
    }
    return BrokerSide(table)


@pytest.mark.parametrize("shipped", SHIPPED)
def test_all_that_the_broker_does_works(openbao: OpenBao, shipped: Shipped, tmp_path: Path) -> None:
    """Read, version, renewal, telling a policy from a dead token, and revocation at the end."""
    broker = token_side(openbao, shipped, tmp_path)
    expected = "1" if shipped.kv_version == 2 else None
    assert (SECRET, expected) == (broker.read(PATH), broker.version(PATH))
    broker.ahead_seconds += 2500
    assert SECRET == broker.read(PATH)
    with pytest.raises(SecretAccessDenied, match="odc/deploy2"):
        broker.read("odc/deploy2")
    assert ["success"] == broker.logins
    token = broker.token
    broker.backend.close()
    assert (
        403 == ask("GET", f"{openbao.url}/v1/auth/token/lookup-self", headers={"X-Vault-Token": token}).status
    )


@pytest.mark.parametrize("shipped", SHIPPED)
def test_nothing_else_is_allowed(openbao: OpenBao, shipped: Shipped, tmp_path: Path) -> None:
    """R-083: neither a neighbour nor a list, nothing that writes, nothing of the server itself."""
    broker = token_side(openbao, shipped, tmp_path)
    broker.read(PATH)
    parts = (
        {"data": "data/", "metadata": "metadata/"}
        if shipped.kv_version == 2
        else {"data": "", "metadata": ""}
    )
    headers = {"X-Vault-Token": broker.token}
    allowed = []
    for method, template in STRANGERS:
        path = template.format(mount=shipped.mount, **parts)
        body = {"data": {"a": "b"}} if method == "PUT" else None
        answer = ask(method, f"{openbao.url}/v1/{path}", json_body=body, headers=headers)
        if answer.status != 403:
            allowed.append((method, path, answer.status))
    assert [] == allowed


@pytest.mark.parametrize("shipped", SHIPPED)
def test_policy_file_has_no_wildcard_and_nothing_that_writes_secrets(shipped: Shipped) -> None:
    """R-083: one path each, spelt out."""
    rules = "\n".join(line for line in shipped.rules.splitlines() if not line.startswith("#"))
    granted = re.findall(r'path "([^"]+)" \{\s+capabilities = (\[[^]]*\])\s+\}', rules)
    assert rules.count("path ") == len(granted)
    assert not any("*" in path or "+" in path for path, _ in granted)
    assert {path: capabilities for path, capabilities in granted if capabilities != '["read"]'} == {
        "auth/token/renew-self": '["update"]',
        "auth/token/revoke-self": '["update"]',
    }
