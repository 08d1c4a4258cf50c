"""Secrets that are there, and the ways in which they are not, on a real OpenBao."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest

from backends.vault.backend import VaultBackend
from backends.vault.options import TokenFile, VaultOptions
from broker.api import (
    PluginContext,
    SecretAccessDenied,
    SecretBackendError,
    SecretBackendUnavailable,
    SecretNotFound,
)
from broker.testing.observer import RecordingObserver
from tests.servers.openbao import OpenBao

PATIENCE_SECONDS = 20.0


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where token files go."""
    tmp_path.chmod(0o700)
    return tmp_path


def backend(
    openbao: OpenBao,
    directory: Path,
    *,
    kv_version: Literal[1, 2] = 2,
    token: str | None = None,
    **more: Any,
) -> VaultBackend:
    """Answer a backend that has the operator's rights, unless the test gives it a token with others."""
    file = directory / "token"
    file.write_text(token or openbao.root_token)
    options = VaultOptions(
        url=openbao.url,
        allow_insecure_loopback=True,
        auth=TokenFile(path=str(file)),
        kv_version=kv_version,
        **more,
    )
    return VaultBackend(options, PluginContext(name="corp", observer=RecordingObserver()))


def errors(vault: VaultBackend, path: str) -> list[tuple[type[SecretBackendError], str, str]]:
    """Answer what reading a secret and asking for its version raise: type, code, message."""
    raised = []
    for ask in (vault.read, vault.version):
        with pytest.raises(SecretBackendError) as caught:
            ask(path, timeout_seconds=PATIENCE_SECONDS)
        raised.append((caught.type, caught.value.code, caught.value.message))
    return raised


def test_deleted_destroyed_absent_and_forbidden_are_told_apart(openbao: OpenBao, directory: Path) -> None:
    """Four states, four messages, the same for the value and for its version (R-097)."""
    for path in ("absence/deleted", "absence/destroyed", "absence/forbidden"):
        openbao.put_secret(path, {"client_secret": "S3CR3T-gone"})
    openbao.delete_versions("absence/deleted", [1])
    openbao.destroy_versions("absence/destroyed", [1])
    token = openbao.create_token(
        [
            "default",
            openbao.write_policy(
                "absence",
                'path "secret/*" { capabilities = ["read"] }\n'
                'path "secret/+/absence/forbidden" { capabilities = ["deny"] }',
            ),
        ]
    )
    vault = backend(openbao, directory, token=token)
    corp = "secret backend corp:"
    assert [
        (
            SecretNotFound,
            "deleted",
            f"{corp} absence/deleted: version 1 was deleted: undelete it or write a new one",
        )
    ] * 2 == errors(vault, "absence/deleted")
    assert [
        (SecretNotFound, "destroyed", f"{corp} absence/destroyed: version 1 was destroyed: write a new one")
    ] * 2 == errors(vault, "absence/destroyed")
    hint = "are the path, counted from the mount, and kv_version right?"
    absent = (SecretNotFound, "not_found", f"{corp} absence/absent: there is no such secret: {hint}")
    assert [absent] * 2 == errors(vault, "absence/absent")
    assert [(SecretAccessDenied, "denied")] * 2 == [each[:2] for each in errors(vault, "absence/forbidden")]


def test_denied_metadata_names_the_policy_path(openbao: OpenBao, directory: Path) -> None:
    """A policy for the data alone lets us read, not poll: the missing line is spelt out."""
    openbao.put_secret("secrets/data-only", {"client_secret": "S3CR3T-data"})
    token = openbao.create_token(
        ["default", openbao.allow_reading("data-only", "secret/data/secrets/data-only")]
    )
    vault = backend(openbao, directory, token=token)
    vault.read("secrets/data-only", timeout_seconds=PATIENCE_SECONDS)
    with pytest.raises(SecretAccessDenied, match='add path "secret/metadata/secrets/data-only"'):
        vault.version("secrets/data-only", timeout_seconds=PATIENCE_SECONDS)


def test_secret_without_versions_has_none(openbao: OpenBao, directory: Path) -> None:
    """Metadata may be written before the first value."""
    openbao.set_custom_metadata("secrets/empty", {"owner": "nobody"})
    with pytest.raises(SecretNotFound, match="has no version yet"):
        backend(openbao, directory).version("secrets/empty", timeout_seconds=PATIENCE_SECONDS)


def test_secret_with_a_future_end_is_still_there(openbao: OpenBao, directory: Path) -> None:
    """`delete_version_after` announces a deletion; until then nothing is deleted."""
    openbao.request("POST", "secret/metadata/secrets/ending", {"delete_version_after": "1h"})
    openbao.put_secret("secrets/ending", {"client_secret": "S3CR3T-ending"})
    vault = backend(openbao, directory)
    read = vault.read("secrets/ending", timeout_seconds=PATIENCE_SECONDS)
    assert ("1", "1") == (read.version, vault.version("secrets/ending", timeout_seconds=PATIENCE_SECONDS))


@pytest.mark.parametrize(("kv_version", "mount"), [(1, "kv1"), (2, "secret")])
def test_field_called_data_is_a_field(
    openbao: OpenBao, directory: Path, kv_version: Literal[1, 2], mount: str
) -> None:
    """Nothing is unwrapped twice (R-096)."""
    secret = {"data": "S3CR3T-in-data", "metadata": "S3CR3T-in-metadata"}
    if kv_version == 1:
        openbao.put_secret_v1("secrets/data", secret)
    else:
        openbao.put_secret("secrets/data", secret)
    vault = backend(openbao, directory, kv_version=kv_version, mount=mount)
    fields = vault.read("secrets/data", timeout_seconds=PATIENCE_SECONDS).fields
    assert secret == {name: value.reveal() for name, value in fields.items()}


def test_version_one_question_to_a_version_two_mount_names_the_key(openbao: OpenBao, directory: Path) -> None:
    """The server says so in a warning, and we say which key to set."""
    openbao.put_secret("secrets/versioned", {"client_secret": "S3CR3T-versioned"})
    vault = backend(openbao, directory, kv_version=1)
    with pytest.raises(SecretNotFound, match="the engine at secret is of version 2: set kv_version = 2"):
        vault.read("secrets/versioned", timeout_seconds=PATIENCE_SECONDS)


def test_missing_mount_is_named(openbao: OpenBao, directory: Path) -> None:
    """Not the secret is missing, the engine is."""
    vault = backend(openbao, directory, mount="nowhere")
    with pytest.raises(SecretNotFound, match="no secrets engine is mounted at nowhere"):
        vault.read("secrets/any", timeout_seconds=PATIENCE_SECONDS)


def test_server_with_an_authority_of_its_own_is_trusted_by_ca_file(
    openbao_tls: OpenBao, directory: Path
) -> None:
    """With the authority's certificate it is read from; with the system's trust store alone it is refused."""
    openbao_tls.put_secret("secrets/tls", {"client_secret": "S3CR3T-tls"})
    trusting = backend(openbao_tls, directory, ca_file=str(openbao_tls.ca_file))
    found = trusting.read("secrets/tls", timeout_seconds=PATIENCE_SECONDS).fields["client_secret"]
    assert "S3CR3T-tls" == found.reveal()
    with pytest.raises(
        SecretBackendUnavailable, match="TLS: unable to get local issuer certificate: set ca_file"
    ):
        backend(openbao_tls, directory).read("secrets/tls", timeout_seconds=PATIENCE_SECONDS)


def test_missing_ca_file_is_named(openbao_tls: OpenBao, directory: Path) -> None:
    """A condition at run time."""
    vault = backend(openbao_tls, directory, ca_file=str(directory / "not-there.pem"))
    with pytest.raises(SecretBackendUnavailable, match=r"ca_file .*not-there\.pem is not there"):
        vault.read("secrets/tls", timeout_seconds=PATIENCE_SECONDS)
