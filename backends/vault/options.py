"""The keys of a `[secret_backends.NAME]` table of type "vault".

Owns: names, types and defaults. Refuses to know: what is done with them, and what may not be combined (`checks`).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from broker.api import HttpUrl, InputFile

POD_TOKEN_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/token"


class _Login(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="method"):
    """A way to log in; `method` says which."""


class TokenFile(_Login, frozen=True, kw_only=True, tag="token_file"):
    """A Vault token that somebody else renews or replaces, such as Vault Agent."""

    path: InputFile
    """Read again whenever it changes."""
    mount: str = "token"


class AppRole(_Login, frozen=True, kw_only=True, tag="approle"):
    """The login of machines; both files are read again at each login."""

    role_id: str | None = None
    """Or `role_id_file`; a role-id is a name, not a secret."""
    role_id_file: InputFile | None = None
    secret_id_file: InputFile
    """A file and never a value: a secret-id is a password."""
    secret_id_wrapped: bool = False
    """The file holds a response-wrapping token, good for one opening: who reads the secret-id before us is noticed."""
    creation_role: str | None = None
    """The AppRole whose wrapped secret-id is expected; default: any role of this mount."""
    mount: str = "approle"


class Kubernetes(_Login, frozen=True, kw_only=True, tag="kubernetes"):
    """The service account of the pod."""

    role: str
    jwt_file: InputFile = POD_TOKEN_FILE
    """Read again at each login: the kubelet replaces it. A projected volume can give it an audience of its own."""
    mount: str = "kubernetes"


class Jwt(_Login, frozen=True, kw_only=True, tag="jwt"):
    """A JWT that another identity provider signed: CI systems, SPIRE, clouds."""

    role: str
    jwt_file: InputFile
    """Read again at each login."""
    mount: str = "jwt"


class Cert(_Login, frozen=True, kw_only=True, tag="cert"):
    """A TLS client certificate, presented on every connection."""

    certificate_file: InputFile
    """PEM, with its intermediates; read again when it was replaced."""
    private_key_file: InputFile
    """PEM, not encrypted."""
    role: str | None = None
    """Default: whichever role of the mount the certificate matches."""
    mount: str = "cert"


class Aws(_Login, frozen=True, kw_only=True, tag="aws"):
    """An IAM identity: a request to STS is signed here and sent by Vault. Vault only; OpenBao does not have it."""

    role: str
    region: str
    """Whose STS Vault asks: its sts_endpoint, or where it has none us-east-1. Never from the environment, where it
    would differ between a shell and the daemon."""
    server_id_header: str | None = None
    """What Vault's iam_server_id_header_value says: a request signed for another Vault is then of no use."""
    mount: str = "aws"


Auth = TokenFile | AppRole | Kubernetes | Jwt | Cert | Aws


class VaultOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[secret_backends.NAME]`."""

    url: HttpUrl
    namespace: str | None = None
    """Of login, renewal and reads; "team-a/ci" is one inside another."""
    mount: str = "secret"
    """Where the key/value engine is mounted; "secret" is where Vault's own documentation has it."""
    kv_version: Literal[1, 2] = 2
    """Told, not guessed: guessing unwraps a version 1 secret with a field called `data` twice (R-096)."""
    ca_file: InputFile | None = None
    """Replaces the system's trust store."""
    certificate_file: InputFile | None = None
    """A TLS client certificate, for a server or a proxy that demands one before any login; PEM."""
    private_key_file: InputFile | None = None
    """Its key; PEM, not encrypted."""
    forward_inconsistent: bool = False
    """Ask a standby that is behind (412) to hand reads on to the active node: X-Vault-Inconsistent."""
    allow_insecure_loopback: bool = False
    auth: Auth
    revoke_on_exit: bool = False
    """Off: a revocation that hangs would delay the exit, and a short-lived token dies by itself. A token_file is
    somebody else's and never revoked."""


def client_certificate(options: VaultOptions) -> tuple[str | None, str | None]:
    """The files of the certificate that connections show, and of its key: the login's own, or the table's."""
    own = options.auth if isinstance(options.auth, Cert) else options
    return own.certificate_file, own.private_key_file
