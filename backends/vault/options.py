"""The keys of a `[secret_backends.NAME]` table of type "vault".

Owns: names, types and defaults. Refuses to know: what is done with them.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from broker.api import HttpUrl, InputFile


class TokenFile(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="method",
    tag="token_file",
):
    """A Vault token that somebody else renews or replaces, such as Vault Agent."""

    path: InputFile
    """Read again whenever it changes."""
    mount: str = "token"


class AppRole(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="method",
    tag="approle",
):
    """The login of machines; both files are read again at each login."""

    role_id: str | None = None
    role_id_file: InputFile | None = None
    secret_id_file: InputFile
    """A file and never a value: a secret-id is a password."""
    mount: str = "approle"


class VaultOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[secret_backends.NAME]`."""

    url: HttpUrl
    namespace: str | None = None
    mount: str = "secret"
    """Where the key/value engine is mounted; "secret" is where Vault's own documentation has it."""
    kv_version: Literal[1, 2] = 2
    """Told, not guessed: guessing unwraps a version 1 secret with a field called `data` twice (R-096)."""
    ca_file: InputFile | None = None
    """Replaces the system's trust store."""
    allow_insecure_loopback: bool = False
    auth: TokenFile | AppRole
    revoke_on_exit: bool = False
    """Off: a revocation that hangs would delay the exit, and a short-lived token dies by itself."""
