"""The key/value engines: where a secret is asked for, and what the answer says about it.

Owns: paths and shapes of KV versions 1 and 2, and the four ways in which a secret is not there (R-096,
R-097). Refuses to know: tokens and logins; 403 is settled before an answer comes here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn

from backends.vault.answers import NOT_FOUND, OK, unavailable
from backends.vault.client import Answer, Ask
from backends.vault.options import VaultOptions
from broker.api import Secret, SecretDocument, SecretMalformed, SecretNotFound


class KeyValueEngine:
    """One mount of one version."""

    def __init__(self, options: VaultOptions, *, where: str) -> None:
        self._mount = options.mount.strip("/")
        self._versioned = options.kv_version == 2  # noqa: PLR2004 - the name of the engine's version
        self._where = where

    def data_path(self, path: str) -> str:
        """The path a policy must allow to read the secret; SecretNotFound for one that leaves the mount."""
        return self._api_path("data", path)

    def metadata_path(self, path: str) -> str:
        """The path a policy must allow to learn the version of the secret."""
        return self._api_path("metadata", path)

    def reading(self, path: str) -> Ask:
        """The request for the current version."""
        mount = self._mount
        if self._versioned:
            return lambda vault: vault.secrets.kv.v2.read_secret_version(
                path=path, mount_point=mount, raise_on_deleted_version=False
            )
        return lambda vault: vault.secrets.kv.v1.read_secret(path=path, mount_point=mount)

    def reading_metadata(self, path: str) -> Ask:
        """The request for what is known about all versions."""
        mount = self._mount
        return lambda vault: vault.secrets.kv.v2.read_secret_metadata(path=path, mount_point=mount)

    def document(self, answer: Answer, path: str) -> SecretDocument:
        """The secret in an answer to `reading`."""
        if answer.status == NOT_FOUND:
            self._explain_absence(answer, path)
        if answer.status != OK or answer.body is None:
            raise unavailable(answer, self._where)
        if not self._versioned:
            return SecretDocument(fields=self._fields(answer.member("data"), path))
        version = answer.member("data", "metadata", "version")
        if not isinstance(version, str):
            raise SecretMalformed(
                f"{self._named(path)}: the answer has not the shape of KV version 2: "
                f"if the engine at {self._mount} is of version 1, set kv_version = 1"
            )
        fields = self._fields(answer.member("data", "data"), path)
        beside = answer.member("data", "metadata", "custom_metadata")
        if isinstance(beside, dict):  # an expiry date often lives there; the secret's own fields come first
            fields = {**self._fields(beside, path), **fields}
        return SecretDocument(fields=fields, version=version)

    def current_version(self, answer: Answer, path: str) -> str:
        """The version in an answer to `reading_metadata`."""
        if answer.status == NOT_FOUND:
            self._explain_absence(answer, path)
        version = answer.member("data", "current_version")
        if answer.status != OK or not isinstance(version, str):
            raise unavailable(answer, self._where)
        about = answer.member("data", "versions", version)
        if about is None:
            raise SecretNotFound(f"{self._named(path)}: has no version yet: write one")
        self._refuse_removed(about, version, path)
        return version

    def _api_path(self, endpoint: str, path: str) -> str:
        if any(part in ("", ".", "..") for part in path.split("/")):
            raise SecretNotFound(f"{self._named(path)}: empty parts, . and .. are no path of a secret")
        return f"{self._mount}/{endpoint}/{path}" if self._versioned else f"{self._mount}/{path}"

    def _explain_absence(self, answer: Answer, path: str) -> NoReturn:
        about = answer.member("data", "metadata")
        if isinstance(about, dict):
            self._refuse_removed(about, str(about.get("version")), path)
        errors = answer.member("errors")
        if isinstance(errors, list) and any(str(each).startswith("no handler for route") for each in errors):
            raise SecretNotFound(f"{self._named(path)}: no secrets engine is mounted at {self._mount}")
        if not self._versioned and answer.member("warnings"):
            raise SecretNotFound(
                f"{self._named(path)}: the engine at {self._mount} is of version 2: set kv_version = 2"
            )
        raise SecretNotFound(
            f"{self._named(path)}: there is no such secret: are the path, counted from the mount, "
            "and kv_version right?"
        )

    def _refuse_removed(self, about: Mapping[str, Any], version: str, path: str) -> None:
        if about.get("destroyed") is True:
            raise SecretNotFound(
                f"{self._named(path)}: version {version} was destroyed: write a new one", code="destroyed"
            )
        if _is_past(about.get("deletion_time")):
            raise SecretNotFound(
                f"{self._named(path)}: version {version} was deleted: undelete it or write a new one",
                code="deleted",
            )

    def _fields(self, data: object, path: str) -> dict[str, Secret]:
        if not isinstance(data, dict):
            raise SecretMalformed(f"{self._named(path)}: holds no fields")
        try:
            return {name: Secret(value) for name, value in data.items() if isinstance(value, str)}
        except UnicodeEncodeError:  # its text holds the value
            pass
        raise SecretMalformed(f"{self._named(path)}: a field is not Unicode text")

    def _named(self, path: str) -> str:
        return f"{self._where}: {path}"


def _is_past(time: object) -> bool:
    """Whether a `deletion_time` has come; `delete_version_after` sets future ones."""
    if not isinstance(time, str) or not time:
        return False
    try:
        return datetime.fromisoformat(time) <= datetime.now(UTC)
    except (ValueError, TypeError):
        return True
