"""TLS client certificates: the method cert on a real OpenBao, and a server that demands one before any login."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from broker.api import SecretBackendUnavailable
from tests.backends_vault.broker_side import BrokerSide, put_file
from tests.backends_vault.readable import SECRET, readable
from tests.servers.openbao import OpenBao, running_openbao
from tests.servers.process import free_port

NAME = "token-broker.example"
RENEWAL = "auth/token/renew-self"


class Certificate:
    """A client certificate in two files, as the operator names them."""

    def __init__(self, directory: Path, authority: trustme.CA) -> None:
        self.certificate_file = directory / "client.pem"
        self.private_key_file = directory / "client.key"
        self.replace(authority)

    def replace(self, authority: trustme.CA) -> None:
        """A new certificate with a new key."""
        leaf = authority.issue_cert(NAME, common_name=NAME)
        put_file(self.private_key_file, leaf.private_key_pem.bytes().decode())
        put_file(self.certificate_file, "".join(pem.bytes().decode() for pem in leaf.cert_chain_pems))

    @property
    def keys(self) -> dict[str, str]:
        return {
            "certificate_file": str(self.certificate_file),
            "private_key_file": str(self.private_key_file),
        }


@pytest.fixture(scope="module")
def authority(openbao_tls: OpenBao) -> Iterator[trustme.CA]:
    """The authority whose certificates OpenBao's cert method takes."""
    authority = trustme.CA()
    openbao_tls.request("POST", "sys/auth/cert", {"type": "cert"})
    yield authority
    openbao_tls.request("DELETE", "sys/auth/cert")


def role(openbao: OpenBao, authority: trustme.CA, request: pytest.FixtureRequest) -> str:
    """A role for the certificates of this authority; answer the path of the secret that it may read."""
    found = readable(openbao, request)
    openbao.request(
        "POST",
        "auth/cert/certs/deploy",
        {
            "certificate": authority.cert_pem.bytes().decode(),
            "allowed_common_names": [NAME],
            "token_policies": [found.policy],
            "token_ttl": "1h",
        },
    )
    return found.path


def broker_of(openbao: OpenBao, certificate: Certificate, **more: str) -> BrokerSide:
    """Answer a backend that logs in with this certificate."""
    auth: dict[str, Any] = {"method": "cert", **certificate.keys, **more}
    return BrokerSide({"url": openbao.url, "ca_file": str(openbao.ca_file), "auth": auth})


@pytest.mark.parametrize("more", [{"role": "deploy"}, {}], ids=["named-role", "any-role"])
def test_certificate_logs_in_and_renews(
    openbao_tls: OpenBao,
    authority: trustme.CA,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    more: dict[str, str],
) -> None:
    """The server wants to see the certificate again when the token is renewed: every connection shows it."""
    path = role(openbao_tls, authority, request)
    broker = broker_of(openbao_tls, Certificate(tmp_path, authority), **more)
    assert SECRET == broker.read(path)
    renewals = len(openbao_tls.requests(RENEWAL))
    broker.ahead_seconds += 2500
    assert (SECRET, ["success"]) == (broker.read(path), broker.logins)
    assert [""] == [asked.error for asked in openbao_tls.requests(RENEWAL)[renewals:]]


def test_replaced_certificate_is_shown_from_the_next_read_on(
    openbao_tls: OpenBao, authority: trustme.CA, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Kept connections were made with the old one: they are dropped, and there is a new login."""
    path = role(openbao_tls, authority, request)
    certificate = Certificate(tmp_path, authority)
    broker = broker_of(openbao_tls, certificate)
    broker.read(path)
    token = broker.token
    certificate.replace(authority)
    assert (SECRET, ["success"] * 2) == (broker.read(path), broker.logins)
    assert token != broker.token


def test_certificate_of_a_stranger_is_refused_with_what_to_check(
    openbao_tls: OpenBao, authority: trustme.CA, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """And the right one is used as soon as it is there."""
    path = role(openbao_tls, authority, request)
    certificate = Certificate(tmp_path, trustme.CA())
    broker = broker_of(openbao_tls, certificate, role="deploy")
    expected = (
        rf"login refused at auth/cert \(status 4..\): is there role deploy .*{certificate.certificate_file}"
    )
    with pytest.raises(SecretBackendUnavailable, match=expected) as caught:
        broker.read(path)
    assert "login_refused" == caught.value.code
    certificate.replace(authority)
    assert SECRET == broker.read(path)


def test_files_that_make_no_certificate_are_named(
    openbao_tls: OpenBao, authority: trustme.CA, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Absent, half replaced, or not PEM: said, and healed by what is put there."""
    path = role(openbao_tls, authority, request)
    certificate = Certificate(tmp_path, authority)
    broker = broker_of(openbao_tls, certificate)
    key = certificate.private_key_file.read_text()
    certificate.private_key_file.unlink()
    with pytest.raises(SecretBackendUnavailable, match=r"private_key_file .*client\.key is not there"):
        broker.read(path)
    other = trustme.CA().issue_cert(NAME).private_key_pem.bytes().decode()
    for content in (other, "no key\n"):
        put_file(certificate.private_key_file, content)
        with pytest.raises(SecretBackendUnavailable, match="are they of one pair, in PEM") as caught:
            broker.read(path)
        assert str(certificate.private_key_file) in caught.value.message
    put_file(certificate.private_key_file, key)
    assert SECRET == broker.read(path)


def test_private_key_that_everybody_can_read_is_warned_about(
    openbao_tls: OpenBao, authority: trustme.CA, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """R-125: once, with the command; never refused."""
    path = role(openbao_tls, authority, request)
    certificate = Certificate(tmp_path, authority)
    certificate.private_key_file.chmod(0o644)
    broker = broker_of(openbao_tls, certificate)
    broker.read(path)
    key = certificate.private_key_file
    assert [f"{key} can be read by everybody (mode 0644): chmod o= {key}"] == broker.warnings


def test_ca_file_is_read_again_when_it_was_replaced(
    openbao_tls: OpenBao, authority: trustme.CA, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A new authority needs no restart; a file without certificates is named."""
    path = role(openbao_tls, authority, request)
    certificate = Certificate(tmp_path, authority)
    assert openbao_tls.ca_file is not None
    right, ca_file = openbao_tls.ca_file.read_text(), tmp_path / "ca.pem"
    put_file(ca_file, "no certificates\n")
    auth = {"method": "cert", **certificate.keys}
    broker = BrokerSide({"url": openbao_tls.url, "ca_file": str(ca_file), "auth": auth})
    with pytest.raises(
        SecretBackendUnavailable, match=rf"ca_file {ca_file} cannot be read or holds no certificates"
    ):
        broker.read(path)
    put_file(ca_file, trustme.CA().cert_pem.bytes().decode())
    with pytest.raises(SecretBackendUnavailable, match="TLS: "):
        broker.read(path)
    put_file(ca_file, right)
    assert SECRET == broker.read(path)


def test_server_that_demands_a_certificate_before_any_login(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The table's own certificate goes with an AppRole; without it the handshake fails and says so."""
    authority, port = trustme.CA(), free_port(width=2)
    server = trustme.CA()
    leaf = server.issue_cert("127.0.0.1")
    files = {"clients": authority.cert_pem, "ca": server.cert_pem, "key": leaf.private_key_pem}
    for name, pem in {**files, "server": leaf.cert_chain_pems[0]}.items():
        pem.write_to_path(str(tmp_path / f"{name}.pem"))
    listener = f"""
        listener "tcp" {{
          address = "127.0.0.1:{port}"
          tls_cert_file = "{tmp_path}/server.pem"
          tls_key_file = "{tmp_path}/key.pem"
          tls_client_ca_file = "{tmp_path}/clients.pem"
          tls_require_and_verify_client_cert = true
        }}
    """
    with running_openbao(tmp_path, configuration=listener) as openbao:
        found = readable(openbao, request)
        approle = openbao.approle([found.policy])
        secret_id_file = put_file(tmp_path / "secret-id", approle.secret_id)
        auth = {"method": "approle", "role_id": approle.role_id, "secret_id_file": secret_id_file}
        table = {"url": f"https://127.0.0.1:{port}", "ca_file": str(tmp_path / "ca.pem"), "auth": auth}
        with pytest.raises(SecretBackendUnavailable, match=r"demands? a client certificate"):
            BrokerSide(table).read(found.path)
        certificate = Certificate(tmp_path, authority)
        assert SECRET == BrokerSide({**table, **certificate.keys}).read(found.path)
