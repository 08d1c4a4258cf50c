"""Whom the transport trusts: TLS, the CA file, and never the environment."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from broker.errors import TransportError
from broker.infra.http import HttpxTransport
from broker.infra.http_errors import transport_error
from tests.infra.sending import exchange, failure, send_once

ServerContext = Callable[[trustme.LeafCert], ssl.SSLContext]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """The CA that the ca_file holds."""
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    """Its certificate in a file."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


def context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """A server's side of TLS."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(made)
    return made


def test_a_certificate_of_the_ca_file_is_trusted(authority: trustme.CA, ca_file: str) -> None:
    """R-030: the ca_file replaces the system's store."""
    with DevelopmentAuthorizationServer(tls=context(authority.issue_cert("127.0.0.1"))) as server:
        assert 200 == send_once(server.discovery_url, ca_file=ca_file).status


def test_another_host_name_is_refused(authority: trustme.CA, ca_file: str) -> None:
    """R-030, F-14: the certificate is for another host; nothing is sent."""
    with DevelopmentAuthorizationServer(tls=context(authority.issue_cert("other.test"))) as server:
        error = failure(TransportError, server.token_endpoint, ca_file=ca_file, body=b"secret=S3CR3T-x")
        assert 0 == server.ledger.count()
    assert "TLS: certificate verify failed: IP address mismatch" in error.message


def test_an_expired_certificate_is_refused(authority: trustme.CA, ca_file: str) -> None:
    """R-030, F-14: yesterday's certificate."""
    yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    certificate = authority.issue_cert("127.0.0.1", not_after=yesterday)
    with DevelopmentAuthorizationServer(tls=context(certificate)) as server:
        error = failure(TransportError, server.discovery_url, ca_file=ca_file)
    assert ("tls", True) == (error.code, "certificate has expired" in error.message)


def test_an_unknown_authority_is_refused(ca_file: str) -> None:
    """R-030: signed by somebody else, or by itself."""
    with DevelopmentAuthorizationServer(tls=context(trustme.CA().issue_cert("127.0.0.1"))) as server:
        for trust in (ca_file, None):
            error = failure(TransportError, server.discovery_url, ca_file=trust)
            assert "TLS: certificate verify failed" in error.message


def test_tls_1_1_is_refused(authority: trustme.CA, ca_file: str) -> None:
    """R-030: TLS 1.2 at least."""
    old = context(authority.issue_cert("127.0.0.1"))
    with pytest.warns(DeprecationWarning, match=r"TLSv1 is deprecated"):
        old.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match=r"TLSv1_1 is deprecated"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with DevelopmentAuthorizationServer(tls=old) as server:
        assert "tls" == failure(TransportError, server.discovery_url, ca_file=ca_file).code


def test_http_on_a_tls_port_is_refused(authority: trustme.CA, ca_file: str) -> None:
    """TLS spoken to a plain server fails as TLS and says so."""
    with DevelopmentAuthorizationServer() as server:
        url = server.discovery_url.replace("http:", "https:")
        assert "tls" == failure(TransportError, url, ca_file=ca_file).code


def test_a_changed_ca_file_is_noticed(authority: trustme.CA, ca_file: str) -> None:
    """F-14: recovery after the fix without a restart; and what the new file leaves out is trusted no more."""
    successor = trustme.CA()

    async def main(url: str) -> None:
        transport = HttpxTransport(ca_file=ca_file, user_agent="t")
        with pytest.raises(TransportError):
            await exchange(transport, url)
        successor.cert_pem.write_to_path(ca_file)
        assert 200 == (await exchange(transport, url)).status
        authority.cert_pem.write_to_path(ca_file)
        with pytest.raises(TransportError):
            await exchange(transport, url)
        await transport.close()

    with DevelopmentAuthorizationServer(tls=context(successor.issue_cert("127.0.0.1"))) as server:
        asyncio.run(main(server.discovery_url))


@pytest.mark.parametrize("content", [None, b"", b"S3CR3T- not PEM"])
def test_an_unusable_ca_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    """Absent, empty or no PEM: a condition that heals, and the message names the file and none of it."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    error = failure(TransportError, "https://127.0.0.1:1/", ca_file=str(path))
    assert error.message.startswith(f"ca_file {path}: ")


def test_the_environment_changes_nothing(
    authority: trustme.CA, ca_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-005: proxies, netrc, CA and key log variables have no effect."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password S3CR3T-netrc\n")
    netrc.chmod(0o600)
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SSL_CERT_FILE", ca_file)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    with DevelopmentAuthorizationServer(tls=context(authority.issue_cert("127.0.0.1"))) as server:
        assert "tls" == failure(TransportError, server.discovery_url).code
        send_once(server.discovery_url, ca_file=ca_file)
        assert "authorization" not in server.ledger.entries()[0].headers
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            socket.gaierror(-2, "Name or service not known"),
            "the name cannot be resolved: Name or service not known",
        ),
        (OSError(101, os.strerror(101)), os.strerror(101)),
        (ExceptionGroup("all", [ConnectionRefusedError(111, "refused")]), "connection refused"),
        (RuntimeError("S3CR3T- body"), "RuntimeError"),
    ],
)
def test_reasons_are_safe_to_show(error: Exception, message: str) -> None:
    """The system's words where they say why, and never a library's."""
    outer = RuntimeError("S3CR3T- outer")
    outer.__cause__ = error
    assert f"idp:443: {message}" == transport_error(outer, peer="idp:443").message
