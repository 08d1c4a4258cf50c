"""What a configuration is loaded with in these tests: plug-ins, accounts, files in a directory of the test.

Owns: a vocabulary whose option structs are shaped like the first-party ones, users and groups, `faults_of`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from broker.config.accounts import Accounts
from broker.config.load import load
from broker.config.schema import Config
from broker.config.vocabulary import PluginKind, Vocabulary
from broker.errors import ConfigError, Fault
from broker.options import FileMode, FilePath, GroupName, HttpUrl, InputDirectory, InputFile

MINIMAL = """
[secret_backends.local]
type = "file"
directory = "/etc/token-broker/secrets"

[authorization_servers.idp]
issuer = "https://idp.example"

[tokens.deploy]
authorization_server = "idp"
client_id = "deploy"
client_secret = { backend = "local", path = "deploy" }
"""


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the option structs."""


class TokenFile(Strict, frozen=True, tag_field="method", tag="token_file"):
    path: InputFile


class AppRole(Strict, frozen=True, tag_field="method", tag="approle"):
    role_id_file: InputFile
    secret_id_file: InputFile
    mount: str = "approle"


class VaultOptions(Strict, frozen=True, kw_only=True):
    url: HttpUrl
    namespace: str | None = None
    mount: str = "secret"
    kv_version: Literal[1, 2] = 2
    ca_file: InputFile | None = None
    allow_insecure_loopback: bool = False
    auth: TokenFile | AppRole


class SecretFilesOptions(Strict, frozen=True):
    directory: InputDirectory


class OnChange(Strict, frozen=True):
    exec: tuple[str, ...] = ()


class FileOptions(Strict, frozen=True):
    path: FilePath
    format: Literal["raw", "raw-newline", "json", "header", "env"] = "raw"
    mode: FileMode | None = None
    group: GroupName | None = None
    on_expiry: Literal["keep", "remove"] = "keep"
    metadata: FilePath | None = None
    on_change: OnChange | None = None


class PluginTable(Strict, frozen=True):
    value: str


class FakeVocabulary:
    """Four plug-ins: one of them cannot be imported, one checks and one fails while it does."""

    def types(self, kind: PluginKind) -> tuple[str, ...]:
        return tuple(_OPTIONS[kind])

    def options(self, kind: PluginKind, type_name: str) -> type[Any] | str:
        return _OPTIONS[kind][type_name]

    def check(self, kind: PluginKind, type_name: str, options: Any) -> tuple[Fault, ...]:
        if type_name == "failing":
            raise RuntimeError(options.value)
        if type_name == "vault" and not options.mount:
            return (Fault("mount", "must not be empty"),)
        return ()

    def client_auth_methods(self) -> tuple[str, ...]:
        return ("client_secret_basic", "client_secret_post")


_OPTIONS: Mapping[PluginKind, Mapping[str, type[Any] | str]] = {
    "secret_backends": {
        "vault": VaultOptions,
        "file": SecretFilesOptions,
        "damaged": "the plug-in cannot be imported",
        "failing": PluginTable,
    },
    "sinks": {"file": FileOptions},
}


class FakeAccounts:
    """User jenkins and groups ci and token-readers."""

    def uid(self, user: str) -> int | None:
        return {"jenkins": 1001}.get(user)

    def gid(self, group: str) -> int | None:
        return {"ci": 2001, "token-readers": 2002}.get(group)


def load_text(
    directory: Path,
    text: str,
    *,
    name: str = "config.toml",
    environment: Mapping[str, str] | None = None,
    vocabulary: Vocabulary | None = None,
    accounts: Accounts | None = None,
) -> Config:
    """The configuration that is this text, written to a file of this name."""
    path = directory / name
    path.write_text(text, encoding="utf-8")
    return load(
        path,
        environment=environment or {},
        vocabulary=vocabulary or FakeVocabulary(),
        accounts=accounts or FakeAccounts(),
    )


def faults_of(directory: Path, text: str, **how: Any) -> dict[str, str]:
    """The messages by path; empty if the text is a good configuration."""
    try:
        load_text(directory, text, **how)
    except ConfigError as error:
        return {fault.path: fault.message for fault in error.faults}
    return {}
