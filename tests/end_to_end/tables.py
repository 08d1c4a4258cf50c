"""Tables of a configuration that point a daemon at the suite's servers.

Owns: the TOML of backends, authorization servers and managed tokens, and the files that logins need. Refuses to know:
what a test does with the daemon. Every secret that we choose carries the canary.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from pathlib import Path

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.canary import MARKER
from tests.servers.keycloak import Keycloak
from tests.servers.moto import REGION, Moto
from tests.servers.openbao import AppRole, OpenBao


def put_client(
    openbao: OpenBao,
    server: DevelopmentAuthorizationServer,
    path: str,
    client_id: str = "deploy",
    *,
    lifetime_seconds: int = 43_200,
) -> None:
    """Register a client and store its credentials as the customer does."""
    secret = server.register(client_id, lifetime_seconds=lifetime_seconds).reveal()
    openbao.put_secret(path, {"client_id": client_id, "client_secret": secret})


def marked(words: str) -> str:
    """A new secret value that shows where it leaks from."""
    return f"{MARKER}{words}-{secrets.token_hex(8)}"


def private_file(path: Path, text: str) -> Path:
    """Write or replace a credential file."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(text)
    new.chmod(0o600)
    return new.replace(path)


def kv2(*paths: str) -> list[str]:
    """What a policy must allow for secrets on KV v2: their values and their versions."""
    return [f"secret/{part}/{path}" for path in paths for part in ("data", "metadata")]


def new_role(
    openbao: OpenBao, directory: Path, allowed: Iterable[str], *, name: str = "corp", policy: str = ""
) -> AppRole:
    """An AppRole that may read these API paths; its credentials lie in `name.role-id` and `name.secret-id`."""
    role = openbao.approle([openbao.allow_reading(policy or f"policy-{secrets.token_hex(4)}", *allowed)])
    private_file(directory / f"{name}.role-id", f"{role.role_id}\n")
    write_secret_id(openbao, role, directory, name=name)
    return role


def write_secret_id(openbao: OpenBao, role: AppRole, directory: Path, *, name: str = "corp") -> None:
    """Give the role a secret-id that carries the canary, and put it where the broker finds it."""
    secret_id = marked("secret-id")
    openbao.request("POST", f"auth/approle/role/{role.name}/custom-secret-id", {"secret_id": secret_id})
    private_file(directory / f"{name}.secret-id", secret_id)


def vault_backend(
    openbao: OpenBao, directory: Path, *, name: str = "corp", auth: str = "", url: str = "", keys: str = ""
) -> str:
    """`[secret_backends.NAME]` of type vault; without `auth`, the AppRole that `new_role` left in `directory`."""
    approle = (
        f'method = "approle", role_id_file = "{directory / name}.role-id", '
        f'secret_id_file = "{directory / name}.secret-id"'
    )
    trust = f'ca_file = "{openbao.ca_file}"' if openbao.ca_file else "allow_insecure_loopback = true"
    return f"""
[secret_backends.{name}]
type = "vault"
url = "{url or openbao.url}"
{trust}
auth = {{ {auth or approle} }}
{keys}
"""


def secrets_manager_backend(moto: Moto) -> str:
    """`[secret_backends.aws]`; credentials come from the environment, `moto.environment`."""
    return f"""
[secret_backends.aws]
type = "aws-secrets-manager"
region = "{REGION}"
endpoint_url = "{moto.url}"
allow_insecure_loopback = true
"""


def development_server(server: DevelopmentAuthorizationServer) -> str:
    """`[authorization_servers.odc]` at the development authorization server."""
    return f"""
[authorization_servers.odc]
profile = "outsystems-odc"
discovery_url = "{server.discovery_url}"
issuer = "{server.issuer}"
token_endpoint_hosts = ["127.0.0.1"]
allow_insecure_loopback = true
"""


def keycloak_server(
    keycloak: Keycloak,
    *,
    name: str = "odc",
    issuer: str = "",
    hosts: Iterable[str] = ("localhost",),
    trust: bool = True,
) -> str:
    """`[authorization_servers.NAME]` as the customer writes it: asked at one host, pinned to an issuer on another."""
    return f"""
[authorization_servers.{name}]
profile = "outsystems-odc"
discovery_url = "{keycloak.discovery_url}"
issuer = "{issuer or keycloak.issuer}"
token_endpoint_hosts = {json.dumps(list(hosts))}
{f'ca_file = "{keycloak.ca_file}"' if trust else ""}
"""


def managed_token(
    path: str,
    *,
    name: str = "deploy",
    backend: str = "corp",
    server: str = "odc",
    field: str = "client_secret",
    keys: str = "",
) -> str:
    """`[tokens.NAME]` with id and secret in two fields of one secret, published to `tokens/NAME`."""
    where = f'backend = "{backend}", path = "{path}"'
    return f"""
[tokens.{name}]
authorization_server = "{server}"
client_id = {{ {where}, field = "client_id" }}
client_secret = {{ {where}, field = "{field}" }}
min_lifetime = "1s"
poll_secret_version = "1s"
{keys}

[[tokens.{name}.files]]
path = "tokens/{name}"
"""
