"""The part of a Kubernetes API server that Vault's kubernetes method asks: TokenReview, over TLS.

Owns: a stub that knows the JWTs it was told of, with names of service accounts, and a ledger of what was asked. It
stands in for a cluster; OpenBao on the other side is real. Refuses to know: who asks.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import trustme

PATH = "/apis/authentication.k8s.io/v1/tokenreviews"


class TokenReviewApi:
    """`accounts` maps a JWT to `system:serviceaccount:NAMESPACE:NAME`."""

    def __init__(self) -> None:
        self.accounts: dict[str, str] = {}
        self.reviewed: list[str] = []
        self.authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert("127.0.0.1").configure_cert(context)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def ca_pem(self) -> str:
        return self.authority.cert_pem.bytes().decode()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def review(self, request: dict[str, Any]) -> dict[str, Any]:
        """The TokenReview with its status."""
        token = request["spec"]["token"]
        self.reviewed.append(token)
        account = self.accounts.get(token)
        if account is None:
            status: dict[str, Any] = {"authenticated": False, "error": "invalid bearer token"}
        else:
            audiences = request["spec"].get("audiences", [])
            user = {"username": account, "uid": f"uid-{account}", "groups": ["system:serviceaccounts"]}
            status = {"authenticated": True, "user": user, "audiences": audiences}
        return {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
                content = json.dumps(api.review(request)).encode() if self.path == PATH else b"{}"
                self.send_response(201 if self.path == PATH else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args: object) -> None:
                """The ledger is the log."""

        return Handler


@contextmanager
def running_token_review() -> Iterator[TokenReviewApi]:
    """A stub of one's own."""
    api = TokenReviewApi()
    try:
        yield api
    finally:
        api.stop()
