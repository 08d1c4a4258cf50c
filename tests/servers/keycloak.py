"""Keycloak as the customer has it: an issuer whose host differs from that of the discovery URL.

Owns one running server, its operator and the clients of its realm. The issuer says ``localhost``, discovery
is asked at ``127.0.0.1``; both with a certificate of an authority made for this run. One realm for all tests,
since a realm takes seconds to make; one client per test, since a client takes milliseconds.
"""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trustme

from tests.servers import keycloak_dist
from tests.servers.http import Answer, ask
from tests.servers.keycloak_dist import OPERATOR_ID, OPERATOR_SECRET
from tests.servers.keycloak_realm import REALM, RESOURCE_SERVER_ID, RESOURCE_SERVER_SECRET
from tests.servers.process import Child, free_port, started


class KeycloakRefused(Exception):
    """An act of the operator was answered with an error; the message holds the server's answer."""


class KeycloakClient:
    """One confidential client with a service account, made for one test."""

    def __init__(self, server: Keycloak, *, client_id: str, secret: str, location: str) -> None:
        self.client_id = client_id
        self.secret = secret
        self._server = server
        self._location = location

    def regenerate_secret(self) -> str:
        """Let Keycloak draw a new secret: answers it, and the old one is dead at once."""
        self.secret = self._server.operate("POST", f"{self._location}/client-secret").json["value"]
        return self.secret

    def disable(self) -> None:
        """Suspend: neither the secret nor any token given out before is good until ``enable``."""
        self._server.operate("PUT", self._location, {"clientId": self.client_id, "enabled": False})

    def enable(self) -> None:
        """Resume: the secret and the tokens given out before are good again."""
        self._server.operate("PUT", self._location, {"clientId": self.client_id, "enabled": True})

    def delete(self) -> None:
        self._server.operate("DELETE", self._location)


class Keycloak:
    """One running server. ``issuer`` is what metadata and tokens say, ``discovery_url`` what is asked."""

    def __init__(self, *, child: Child, port: int, ca_file: Path) -> None:
        self.issuer = f"https://localhost:{port}/realms/{REALM}"
        self.discovery_url = f"https://127.0.0.1:{port}/realms/{REALM}/.well-known/openid-configuration"
        self.token_endpoint = f"{self.issuer}/protocol/openid-connect/token"
        self.ca_file = ca_file
        self._root = f"https://127.0.0.1:{port}"
        self._tls = ssl.create_default_context(cafile=ca_file)
        self._child = child

    def create_client(
        self,
        client_id: str | None = None,
        *,
        lifespan_seconds: int | None = None,
        secret: str | None = None,
    ) -> KeycloakClient:
        """A client that may ask for client credentials; by default its tokens live for 12 hours."""
        name = client_id or f"client-{secrets.token_hex(6)}"
        value = secret or f"S3CR3T-{secrets.token_urlsafe(24)}"
        lifespan = {} if lifespan_seconds is None else {"access.token.lifespan": str(lifespan_seconds)}
        answer = self.operate(
            "POST",
            f"/admin/realms/{REALM}/clients",
            {
                "clientId": name,
                "secret": value,
                "protocol": "openid-connect",
                "enabled": True,
                "publicClient": False,
                "clientAuthenticatorType": "client-secret",
                "serviceAccountsEnabled": True,
                "standardFlowEnabled": False,
                "attributes": lifespan,
                "protocolMappers": [_audience_of_resource_server()],
            },
        )
        identifier = answer.headers["Location"].rpartition("/")[2]
        location = f"/admin/realms/{REALM}/clients/{identifier}"
        return KeycloakClient(self, client_id=name, secret=value, location=location)

    def introspect(self, token: str) -> dict[str, Any]:
        """What the realm tells the API that a token is meant for (RFC 7662): ``active``, and claims."""
        question = {"token": token, "client_id": RESOURCE_SERVER_ID, "client_secret": RESOURCE_SERVER_SECRET}
        answer = self.post_form(f"{self.token_endpoint}/introspect", question)
        claims: dict[str, Any] = answer.json
        return claims

    def post_form(self, url: str, form: dict[str, str], *, headers: dict[str, str] | None = None) -> Answer:
        """Ask any endpoint of the realm as a client would."""
        return ask("POST", url, form=form, headers=headers, tls=self._tls)

    def get(self, url: str) -> Answer:
        return ask("GET", url, tls=self._tls)

    def operate(self, method: str, path: str, body: object = None) -> Answer:
        """Any act of the operator. Raises KeycloakRefused on an error status."""
        headers = {"Authorization": f"Bearer {self._operator_token()}"}
        answer = ask(method, f"{self._root}{path}", json_body=body, headers=headers, tls=self._tls)
        if answer.status >= 400:
            raise KeycloakRefused(f"{method} {path}: {answer.status} {answer.text}")
        return answer

    def wait_until_ready(self) -> None:
        realm = f"{self._root}/realms/{REALM}"
        self._child.wait_until(
            lambda: self.get(realm).status == 200,
            timeout=keycloak_dist.START_TIMEOUT_SECONDS,
            what="Keycloak started",
        )

    def stop(self) -> None:
        self._child.stop()

    def _operator_token(self) -> str:
        # Asked for each act: it lives for a minute, a session for longer.
        url = f"{self._root}/realms/master/protocol/openid-connect/token"
        form = {
            "grant_type": "client_credentials",
            "client_id": OPERATOR_ID,
            "client_secret": OPERATOR_SECRET,
        }
        token: str = self.post_form(url, form).json["access_token"]
        return token


@contextmanager
def running_keycloak(directory: Path) -> Iterator[Keycloak]:
    """A server of one's own, with its log, data and certificates in ``directory``."""
    installation = keycloak_dist.ensure()
    server = started(lambda: _start(installation, directory))
    try:
        yield server
    finally:
        server.stop()


def _start(installation: Path, directory: Path) -> Keycloak:
    port = free_port()
    home = directory / f"home-{port}"
    keycloak_dist.new_home(installation, home)
    ca_file = _write_certificates(directory)
    argv = keycloak_dist.command(
        installation / "dist",
        home,
        "start",
        "--optimized",
        "--cache=local",
        f"--hostname=https://localhost:{port}",
        "--http-host=127.0.0.1",
        f"--https-port={port}",
        f"--http-management-port={free_port()}",
        "--http-management-scheme=http",
        f"--https-certificate-file={directory / 'server.pem'}",
        f"--https-certificate-key-file={directory / 'server.key'}",
    )
    child = Child(argv, env=keycloak_dist.environment(home), log=directory / "keycloak.log")
    server = Keycloak(child=child, port=port, ca_file=ca_file)
    server.wait_until_ready()
    return server


def _write_certificates(directory: Path) -> Path:
    authority = trustme.CA()
    server = authority.issue_cert("localhost", "127.0.0.1")
    server.private_key_pem.write_to_path(directory / "server.key")
    server.cert_chain_pems[0].write_to_path(directory / "server.pem")
    authority.cert_pem.write_to_path(directory / "ca.pem")
    return directory / "ca.pem"


def _audience_of_resource_server() -> dict[str, object]:
    return {
        "name": "audience",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-audience-mapper",
        "config": {"included.client.audience": RESOURCE_SERVER_ID, "access.token.claim": "true"},
    }
