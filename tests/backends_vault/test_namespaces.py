"""Namespaces on a real OpenBao: the same names in two of them, nested ones, with and without slashes (R-098)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from broker.api import SecretBackendUnavailable, SecretNotFound
from tests.backends_vault.broker_side import BrokerSide, put_file
from tests.servers.http import Answer, ask
from tests.servers.openbao import OpenBao

POLICY = (
    'path "secret/*" { capabilities = ["read"] }\npath "auth/token/*" { capabilities = ["read", "update"] }'
)


class Tenant:
    """A namespace with an engine, an AppRole and a secret of its own, all called as everywhere else."""

    def __init__(self, openbao: OpenBao, path: str) -> None:
        self.openbao = openbao
        self.path = path
        parent, _, name = path.rpartition("/")
        self._ask("POST", f"sys/namespaces/{name}", {}, namespace=parent)
        self._ask("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
        self._ask("POST", "sys/auth/approle", {"type": "approle"})
        self._ask("PUT", "sys/policies/acl/deploy", {"policy": POLICY})
        self._ask("POST", "auth/approle/role/deploy", {"token_policies": ["deploy"], "token_ttl": "1h"})
        self._ask("POST", "secret/data/odc", {"data": {"client_secret": f"S3CR3T-of-{path}"}})
        self.role_id = self._ask("GET", "auth/approle/role/deploy/role-id").json["data"]["role_id"]

    def secret_id(self, *, wrapped: bool) -> str:
        headers = {"X-Vault-Wrap-TTL": "60s"} if wrapped else {}
        answer = self._ask("POST", "auth/approle/role/deploy/secret-id", {}, headers=headers).json
        found: str = answer["wrap_info"]["token"] if wrapped else answer["data"]["secret_id"]
        return found

    def broker(self, directory: Path, namespace: str | None, *, wrapped: bool = False) -> BrokerSide:
        """A backend with this tenant's credentials that is told this namespace."""
        name = self.path.replace("/", "-")
        auth: dict[str, Any] = {
            "method": "approle",
            "role_id": self.role_id,
            "secret_id_file": put_file(directory / name, self.secret_id(wrapped=wrapped)),
        }
        if wrapped:
            auth |= {"secret_id_wrapped": True, "creation_role": "deploy"}
        table: dict[str, Any] = {"url": self.openbao.url, "allow_insecure_loopback": True, "auth": auth}
        return BrokerSide(table if namespace is None else {**table, "namespace": namespace})

    def _ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        namespace: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        where = self.path if namespace is None else namespace
        answer = ask(
            method,
            f"{self.openbao.url}/v1/{path}",
            json_body=body,
            headers={"X-Vault-Token": self.openbao.root_token, "X-Vault-Namespace": where, **(headers or {})},
        )
        assert answer.status < 300, answer.text
        return answer


@pytest.fixture(scope="module")
def team(openbao: OpenBao) -> Tenant:
    """`team-a`."""
    return Tenant(openbao, "team-a")


@pytest.fixture(scope="module")
def nested(openbao: OpenBao, team: Tenant) -> Tenant:
    """`team-a/ci`."""
    return Tenant(openbao, "team-a/ci")


@pytest.mark.parametrize("namespace", ["team-a/ci", "team-a/ci/", "/team-a/ci"])
@pytest.mark.parametrize("wrapped", [False, True], ids=["plain", "wrapped"])
def test_everything_happens_in_the_namespace(
    nested: Tenant, tmp_path: Path, namespace: str, *, wrapped: bool
) -> None:
    """R-098: login, unwrapping, read, version, renewal and lookup; a nested one with or without slashes around it."""
    broker = nested.broker(tmp_path, namespace, wrapped=wrapped)
    assert ("S3CR3T-of-team-a/ci", "1") == (broker.read("odc"), broker.version("odc"))
    broker.ahead_seconds += 2500
    assert "S3CR3T-of-team-a/ci" == broker.read("odc")
    with pytest.raises(SecretNotFound):
        broker.read("not-there")
    assert ["success"] == broker.logins


def test_equal_names_in_two_namespaces_do_not_meet(team: Tenant, nested: Tenant, tmp_path: Path) -> None:
    """Each backend has the secret of its own."""
    read = [each.broker(tmp_path, each.path).read("odc") for each in (team, nested)]
    assert ["S3CR3T-of-team-a", "S3CR3T-of-team-a/ci"] == read


@pytest.mark.parametrize("namespace", [None, "team-a", "nowhere"], ids=["root", "parent", "unknown"])
def test_credentials_of_one_namespace_are_refused_in_another(
    nested: Tenant, tmp_path: Path, namespace: str | None
) -> None:
    """With what was asked and where to look; the key that is probably wrong is among it."""
    broker = nested.broker(tmp_path, namespace)
    with pytest.raises(SecretBackendUnavailable, match="login refused at auth/approle") as caught:
        broker.read("odc")
    assert (f"in namespace {namespace}" in caught.value.message) is (namespace is not None)
