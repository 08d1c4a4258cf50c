"""A socket API that says what the test tells it to, on a real Unix socket.

Owns: the listening thread and the requests it saw. Refuses to know: what a right answer is.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Script = Callable[[str], bytes]
"""From the whole head of a request to the bytes to send back."""


def answer(status: int, body: bytes, *, content_type: str = "application/json") -> bytes:
    """The bytes of a well-formed answer."""
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def problem(status: int, code: str, **members: object) -> bytes:
    """The bytes of a problem document."""
    document = {"code": code, "detail": f"Detail of {code}.", "help": f"Help for {code}.", **members}
    return answer(status, json.dumps(document).encode(), content_type="application/problem+json")


class SocketApi:
    """Answers each connection's first request from `script`, then closes; `requests` holds the heads seen."""

    def __init__(self, path: Path, script: Script) -> None:
        self.path = path
        self.script = script
        self.requests: list[str] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def targets(self) -> list[str]:
        """`METHOD target` of each request so far."""
        return [head.partition(" HTTP/1.1")[0] for head in self.requests]

    def close(self) -> None:
        """Stop listening; the socket's file goes too."""
        self.path.unlink()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                head = b""
                while b"\r\n\r\n" not in head and (chunk := connection.recv(4096)):
                    head += chunk
                self.requests.append(head.decode())
                try:
                    connection.sendall(self.script(head.decode()))
                except BrokenPipeError:
                    continue


@contextmanager
def socket_api(path: Path, script: Script) -> Iterator[SocketApi]:
    """A running socket API."""
    api = SocketApi(path, script)
    try:
        yield api
    finally:
        api.close()


def one_token(name: str = "deploy", token: str = "S3CR3T-deploy.revision-1") -> Script:
    """The script of a broker that has one fresh token and lets everybody read it."""
    document = {
        "name": name,
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": 1795,
        "expires_at": 1_700_001_795,
        "issued_at": 1_700_000_000,
        "scope": "a b",
        "revision": 1,
        "fingerprint": "0123456789abcdef",
        "state": "fresh",
    }

    def script(head: str) -> bytes:
        if not head.startswith((f"GET /v1/tokens/{name} ", f"GET /v1/tokens/{name}?")):
            return problem(403, "denied")
        if "Accept: text/plain\r\n" in head:
            return answer(200, token.encode(), content_type="text/plain")
        return answer(200, json.dumps(document).encode())

    return script


def always(reply: bytes) -> Script:
    """The script that answers everything alike."""
    return in_turn(reply)


def in_turn(*answers: bytes) -> Script:
    """The script that gives these answers one after the other, and the last one for ever."""
    left = list(answers)

    def script(_head: str) -> bytes:
        return left.pop(0) if len(left) > 1 else left[0]

    return script
