"""What a Vault-compatible server, or what stands in its place, may answer, and what must not leak then."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import backends.vault
from broker.api import (
    PluginContext,
    SecretAccessDenied,
    SecretBackend,
    SecretBackendError,
    SecretBackendUnavailable,
    SecretMalformed,
    SecretNotFound,
)
from broker.testing.observer import RecordingObserver
from tests.contract.fault_server import Asked, FaultServer, Reply, Script, running_fault_server

TOKEN = "S3CR3T-vault-token"
PATIENCE_SECONDS = 20.0
DATA_PATH = "/v1/secret/data/odc"
LOOKUP_PATH = "/v1/auth/token/lookup-self"
LOOKED_UP = Reply(
    body={"data": {"ttl": 3600, "renewable": False}}, headers={"Set-Cookie": "poison=1; Path=/"}
)


def answering(reply: Reply) -> Script:
    """Answer a script in which logins work and everything else is answered like this."""
    return lambda asked: LOOKED_UP if asked.path == LOOKUP_PATH else reply


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """A server in Vault's place."""
    with running_fault_server(answering(Reply(404, {"errors": []}))) as server:
        yield server


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """Where the broker finds its Vault token."""
    path = tmp_path / "token"
    path.touch(mode=0o600)
    path.write_text(TOKEN)
    return path


def backend(server: FaultServer, token_file: Path, **more: Any) -> SecretBackend:
    """Answer a backend whose server this is."""
    table = {
        "url": server.url,
        "allow_insecure_loopback": True,
        "auth": {"method": "token_file", "path": str(token_file)},
        **more,
    }
    options = msgspec.convert(table, backends.vault.plugin.options)
    return backends.vault.plugin.create(options, PluginContext(name="corp", observer=RecordingObserver()))


def error_of(server: FaultServer, token_file: Path, reply: Reply, **more: Any) -> SecretBackendError:
    """Answer what reading a secret raises when the server answers like this."""
    server.script = answering(reply)
    with pytest.raises(SecretBackendError) as caught:
        backend(server, token_file, **more).read("odc", timeout_seconds=PATIENCE_SECONDS)
    shown = "".join(traceback.format_exception(caught.value))
    assert "S3CR3T-" not in shown
    return caught.value


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_never_followed(server: FaultServer, token_file: Path, status: int) -> None:
    """The token would go to whatever host the answer names (R-085)."""
    with running_fault_server(answering(Reply())) as elsewhere:
        moved = Reply(status, b"", {"Location": elsewhere.url + DATA_PATH})
        error = error_of(server, token_file, moved)
        assert [] == elsewhere.ledger
    assert isinstance(error, SecretBackendUnavailable)
    assert (
        f"redirects, which would take our token to another host: set url to where it points (status {status})"
        in (error.message)
    )


@pytest.mark.parametrize(
    ("status", "words", "code"),
    [
        (400, "refused the request", "unavailable"),
        (405, "does not know such requests", "unavailable"),
        (412, "has not caught up with a write", "unavailable"),
        (429, "asks for a pause", "throttled"),
        (472, "disaster recovery secondary", "unavailable"),
        (473, "performance standby", "unavailable"),
        (500, "failed", "unavailable"),
        (501, "not initialised", "unavailable"),
        (502, "failed", "unavailable"),
        (503, "sealed or in maintenance", "unavailable"),
    ],
)
def test_status_decides(server: FaultServer, token_file: Path, status: int, words: str, code: str) -> None:
    """By number, for hvac knows only some of these by class (R-088)."""
    error = error_of(server, token_file, Reply(status, {"errors": ["S3CR3T-in-errors"]}))
    assert (True, code, True) == (
        isinstance(error, SecretBackendUnavailable),
        error.code,
        words in error.message,
    )


def test_pause_that_the_server_asks_for_is_passed_on(server: FaultServer, token_file: Path) -> None:
    """Retry-After in seconds."""
    error = error_of(server, token_file, Reply(429, {"errors": []}, {"Retry-After": "17"}))
    assert 17 == error.retry_after_seconds


@pytest.mark.parametrize("status", [200, 400, 403, 404, 500])
@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "text/html"])
@pytest.mark.parametrize(
    "body", [b'{"data": "S3CR3T-body"}', b'{"S3CR3T-key": 1', b"<html>S3CR3T-body</html>", b'["S3CR3T-list"]']
)
def test_body_never_reaches_an_error(
    server: FaultServer, token_file: Path, status: int, content_type: str, body: bytes
) -> None:
    """Whatever its type and shape (R-086, R-087); `error_of` looks for the canary in the whole traceback."""
    error_of(server, token_file, Reply(status, body, {"Content-Type": content_type}))


def test_html_with_status_200_is_no_secret(server: FaultServer, token_file: Path) -> None:
    """A proxy's log-in page (R-086)."""
    error = error_of(server, token_file, Reply(200, b"<html>welcome</html>", {"Content-Type": "text/html"}))
    assert isinstance(error, SecretBackendUnavailable)
    assert "answered something else than Vault does" in error.message


def test_version_one_secret_on_a_version_two_mount_is_a_configuration_error(
    server: FaultServer, token_file: Path
) -> None:
    """The version is told, not guessed (R-096)."""
    error = error_of(server, token_file, Reply(body={"data": {"client_secret": "S3CR3T-v1"}}))
    assert isinstance(error, SecretMalformed)
    assert "if the engine at secret is of version 1, set kv_version = 1" in error.message


def test_endless_answer_is_cut_off(server: FaultServer, token_file: Path) -> None:
    """A megabyte is enough for a secret."""
    error = error_of(server, token_file, Reply(200, b'"' + b"x" * (1024 * 1024) + b'"'))
    assert isinstance(error, SecretBackendUnavailable)
    assert "larger than 1048576 bytes" in error.message


def test_text_that_is_no_unicode_is_refused_without_showing_it(server: FaultServer, token_file: Path) -> None:
    """A lone surrogate passes JSON and cannot be encoded; the encoder's error would hold the value."""
    body = rb'{"data": {"data": {"k": "S3CR3T-\ud800"}, "metadata": {"version": 1}}}'
    assert isinstance(error_of(server, token_file, Reply(200, body)), SecretMalformed)


@pytest.mark.parametrize("path", ["../sys/mounts", "a/../../sys", "/odc", "a//b", "odc/", "."])
def test_path_cannot_leave_the_mount(server: FaultServer, token_file: Path, path: str) -> None:
    """URL libraries resolve dots, and then the question would be another one."""
    with pytest.raises(SecretNotFound, match=r"empty parts, \. and \.\. are no path"):
        backend(server, token_file).read(path, timeout_seconds=PATIENCE_SECONDS)
    assert [] == server.ledger


def test_numbers_keep_their_text(server: FaultServer, token_file: Path) -> None:
    """A float would lose digits; other types are left out."""
    data = (
        b'{"n": 12345678901234567890123, "f": 1.10, "t": "text", "b": true, "l": ["x"], "o": {}, "z": null}'
    )
    server.script = answering(Reply(200, b'{"data": {"data": %s, "metadata": {"version": 3}}}' % data))
    document = backend(server, token_file).read("odc", timeout_seconds=PATIENCE_SECONDS)
    fields = {name: secret.reveal() for name, secret in document.fields.items()}
    assert ({"n": "12345678901234567890123", "f": "1.10", "t": "text"}, "3") == (fields, document.version)


def test_namespace_goes_with_login_and_read(server: FaultServer, token_file: Path) -> None:
    """Every request says it."""
    error_of(server, token_file, Reply(404, {"errors": []}), namespace="team-a")
    assert ["team-a", "team-a"] == [asked.headers["x-vault-namespace"] for asked in server.ledger]


def test_connection_is_kept(server: FaultServer, token_file: Path) -> None:
    """Five reads and a login need one connection."""
    server.script = answering(Reply(body={"data": {"data": {}, "metadata": {"version": 1}}}))
    vault = backend(server, token_file)
    for _ in range(5):
        vault.read("odc", timeout_seconds=PATIENCE_SECONDS)
    vault.close()
    assert 1 == server.connections


def test_denied_lookup_of_a_fresh_token_is_a_policy_all_the_same(server: FaultServer, tmp_path: Path) -> None:
    """A role without the default policy may not look itself up: one login, then "denied", again and again."""

    def script(asked: Asked) -> Reply:
        auth = {"client_token": TOKEN, "lease_duration": 3600, "renewable": True}
        return Reply(body={"auth": auth}) if asked.path.endswith("/login") else Reply(403, {"errors": []})

    server.script = script
    secret_id = tmp_path / "secret-id"
    secret_id.write_text("S3CR3T-secret-id")
    auth = {"method": "approle", "role_id": "role", "secret_id_file": str(secret_id)}
    vault = backend(server, secret_id, auth=auth)
    for _ in range(3):
        with pytest.raises(SecretAccessDenied, match='add path "secret/data/odc"'):
            vault.read("odc", timeout_seconds=PATIENCE_SECONDS)
    assert 2 == len(server.asked("/v1/auth/approle/login"))


POISONED_READ = """
import logging, sys
import msgspec
import backends.vault
from broker.api import PluginContext, SecretNotFound
url, token_file = sys.argv[1:]
table = {"url": url, "allow_insecure_loopback": True, "auth": {"method": "token_file", "path": token_file}}
options = msgspec.convert(table, backends.vault.plugin.options)
backend = backends.vault.plugin.create(options, PluginContext(name="corp", observer=lambda event: None))
logging.basicConfig(level=logging.DEBUG)
try:
    backend.read("odc", timeout_seconds=20)
except SecretNotFound:
    print("asked")
"""


def test_environment_has_no_effect(server: FaultServer, token_file: Path, tmp_path: Path) -> None:
    """VAULT_*, ~/.vault-token, netrc, proxies and CA variables change nothing that is sent (R-004, R-005)."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".vault-token").write_text("S3CR3T-of-a-human")
    (home / ".netrc").write_text("machine 127.0.0.1 login poison password S3CR3T-netrc\n")
    (home / ".netrc").chmod(0o600)
    with running_fault_server(answering(Reply())) as poison:
        proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"), poison.url)
        poisoned = {
            "HOME": str(home),
            "VAULT_ADDR": poison.url,
            "VAULT_TOKEN": "S3CR3T-of-the-environment",
            "VAULT_NAMESPACE": "poison",
            "VAULT_CACERT": "/poison",
            "VAULT_CAPATH": "/poison",
            "VAULT_CLIENT_CERT": "/poison",
            "VAULT_CLIENT_KEY": "/poison",
            "VAULT_SKIP_VERIFY": "true",
            "REQUESTS_CA_BUNDLE": "/poison",
            "CURL_CA_BUNDLE": "/poison",
            "SSL_CERT_FILE": "/poison",
            **proxies,
        }
        finished = subprocess.run(
            [sys.executable, "-c", POISONED_READ, server.url, str(token_file)],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                **poisoned,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (0, "asked\n", []) == (finished.returncode, finished.stdout, poison.ledger), finished.stderr
    sent = {(asked.headers["x-vault-token"], asked.headers.get("authorization")) for asked in server.ledger}
    assert {(TOKEN, None)} == sent
    assert not any(
        "x-vault-namespace" in asked.headers or "cookie" in asked.headers for asked in server.ledger
    )
    assert "S3CR3T-" not in finished.stderr
