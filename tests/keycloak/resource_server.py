"""The API that a drill's programs call: it lets in whoever brings a good access token (RFC 6750).

Owns: the HTTP server on loopback, and the two ways to judge a token: asking Keycloak about it (RFC 7662), or checking
its signature and `exp` with keys that were fetched before. Refuses to know: who calls, and how often.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from tests.servers.keycloak import Keycloak

Judge = Callable[[str], bool]
"""Whether an access token is good. May raise: then the call is answered 502, and counts as failed."""


def introspecting(keycloak: Keycloak) -> Judge:
    """Keycloak is asked about each token, by a client that the token is meant for."""
    return lambda token: keycloak.introspect(token)["active"] is True


def verifying(keycloak: Keycloak) -> Judge:
    """Keycloak is asked for its keys now, and never again."""
    keys = KeySet.import_key_set(keycloak.get(f"{keycloak.issuer}/protocol/openid-connect/certs").json)
    claims = jwt.JWTClaimsRegistry(exp={"essential": True}, iss={"essential": True, "value": keycloak.issuer})

    def judge(token: str) -> bool:
        try:
            claims.validate(jwt.decode(token, keys, algorithms=["RS256"]).claims)
        except (JoseError, ValueError):
            return False
        return True

    return judge


@contextmanager
def resource_server(judge: Judge) -> Iterator[str]:
    """A running one; answers its URL."""
    server = _Server(("127.0.0.1", 0), judge)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], judge: Judge) -> None:
        super().__init__(address, _Handler)
        self.judge = judge


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 60

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Silent."""

    def do_GET(self) -> None:
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        try:
            status = 200 if scheme == "Bearer" and self.server.judge(token) else 401
        except (OSError, LookupError):
            status = 502
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
