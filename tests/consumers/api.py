"""The API that consumers call: on loopback, over http and over TLS, behind a door.

Owns: the listeners, and answers that each program takes for its own kind of server. Refuses to know: who is let in.
The first component of a path names the consumer: `/prometheus/metrics`.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import parse_qsl

import trustme

from tests.consumers.door import Door

CREDENTIAL_LIFE: Final = timedelta(minutes=5)
"""Of AWS credentials: so short that botocore asks for new ones whenever they are used."""

_NAMESPACES: Final = {"name": "namespaces", "singularName": "", "namespaced": False, "kind": "Namespace"}

_ASSUMED_ROLE: Final = """\
<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials>
<AccessKeyId>{AccessKeyId}</AccessKeyId>
<SecretAccessKey>{SecretAccessKey}</SecretAccessKey>
<SessionToken>{Token}</SessionToken>
<Expiration>{Expiration}</Expiration>
</Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """A running one; the certificate is for 127.0.0.1."""

    door: Door
    url: str
    tls_url: str
    ca_file: Path


@contextmanager
def running_api(door: Door, directory: Path) -> Iterator[Api]:
    """Listens inside of the `with` block."""
    authority = trustme.CA()
    ca_file = directory / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    with ExitStack() as stack:
        plain, secure = (stack.enter_context(_listening(door, context)) for context in (None, tls))
        yield Api(
            door=door, url=f"http://127.0.0.1:{plain}", tls_url=f"https://127.0.0.1:{secure}", ca_file=ca_file
        )


@contextmanager
def _listening(door: Door, tls: ssl.SSLContext | None) -> Iterator[int]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.door, server.tls = door, tls
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    door: Door
    tls: ssl.SSLContext | None

    def get_request(self) -> tuple[socket.socket, Any]:
        accepted, address = super().get_request()
        if self.tls is None:
            return accepted, address
        # The handshake comes with the first read, in the connection's own thread.
        return self.tls.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A consumer that is stopped may leave in the middle of a request."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Silent."""

    def do_GET(self) -> None:
        _, consumer, *rest = self.path.partition("?")[0].split("/")
        door = cast("_Server", self.server).door
        if door.admits(consumer, self.headers["Authorization"]):
            self._send(200, *_answer("/" + "/".join(rest)))
        else:
            self._send(401, "text/plain", "this is not the current token\n")

    def do_POST(self) -> None:
        """AssumeRoleWithWebIdentity of AWS STS, which takes the token in a form."""
        form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        consumer = self.path.split("/")[1]
        if cast("_Server", self.server).door.admits(consumer, f"Bearer {form.get('WebIdentityToken')}"):
            self._send(200, "text/xml", _ASSUMED_ROLE.format(**_credentials()))
        else:
            self._send(401, "text/xml", "<ErrorResponse/>")

    def _send(self, status: int, content_type: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _answer(path: str) -> tuple[str, str]:
    """Type and body of a resource."""
    if path == "/metrics":
        return "text/plain; version=0.0.4", "things 1\n"
    if path == "/things.git/info/refs":
        return "text/plain", f"{'1' * 40}\trefs/heads/main\n"
    if path == "/things.git/HEAD":
        return "text/plain", "ref: refs/heads/main\n"
    return "application/json", json.dumps(_document(path))


def _document(path: str) -> dict[str, Any]:
    match path:
        case "/credentials":
            return _credentials()
        case "/api":
            return {"kind": "APIVersions", "versions": ["v1"]}
        case "/apis":
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": []}
        case "/api/v1":
            resource = _NAMESPACES | {"verbs": ["get", "list"]}
            return {"kind": "APIResourceList", "groupVersion": "v1", "resources": [resource]}
        case "/api/v1/namespaces":
            return {"kind": "NamespaceList", "apiVersion": "v1", "metadata": {}, "items": []}
        case _:
            return {"things": []}


def _credentials() -> dict[str, str]:
    """Of AWS."""
    return {
        "AccessKeyId": "AKIAIOSFODNN7EXAMPLE",
        "SecretAccessKey": "S3CR3T-credentials",
        "Token": "S3CR3T-session",
        "Expiration": (datetime.now(UTC) + CREDENTIAL_LIFE).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
