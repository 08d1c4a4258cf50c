"""Our servers in a thread with an event loop of their own, and clients that speak raw bytes to them.

Owns: start and stop, the hop into the loop, reading one response off a socket. Knows nothing of assertions.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import uvloop

from tests.cache import missing
from tests.server.description import hold

T = TypeVar("T")

STRANGER: Final = Path(__file__).with_name("stranger.py")
ANOTHER_UID: Final = 1000
ANSWER_SECONDS: Final = 60.0


class Loop:
    """An event loop in a thread: uvloop, as the daemon's."""

    def __init__(self) -> None:
        self._loop = uvloop.new_event_loop()
        self.errors: list[dict[str, Any]] = []
        self._loop.set_exception_handler(lambda _loop, context: self.errors.append(context))
        self._thread = threading.Thread(target=self._loop.run_forever, name="server under test")
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the loop and answer its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(ANSWER_SECONDS)

    def do(self, call: Callable[[], T]) -> T:
        """Call a function in the loop's thread."""

        async def work() -> T:
            return call()

        return self.run(work())

    def now(self) -> float:
        """Its own time."""
        return self._loop.time()

    def close(self) -> None:
        """Stop, and fail the test if a callback raised."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(ANSWER_SECONDS)
        self._loop.close()
        assert [] == self.errors


@contextmanager
def running_loop() -> Iterator[Loop]:
    """A loop for one test."""
    loop = Loop()
    try:
        yield loop
    finally:
        loop.close()


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """A raw client of one connection; `address` is a path or (host, port).

    What `ask` is answered over a Unix socket is held against the server's own description.
    """

    def __init__(self, address: Path | tuple[str, int]) -> None:
        family = socket.AF_UNIX if isinstance(address, Path) else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.settimeout(ANSWER_SECONDS)
        self._buffer = b""
        try:
            self.socket.connect(str(address) if isinstance(address, Path) else address)
        except OSError:
            self.socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self, *, head_only: bool = False) -> Answer:
        """The next response. ConnectionError if the server hangs up before it is whole."""
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = 0 if head_only else int(headers["content-length"])
        while len(self._buffer) < length:
            self._more()
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return Answer(int(status.split()[1]), headers, body)

    def ask(self, path: str, method: str = "GET", *headers: str) -> Answer:
        """Send one request and answer its response."""
        self.send(request(path, method, *headers))
        answer = self.receive(head_only=method == "HEAD")
        if self.socket.family == socket.AF_UNIX and method != "HEAD":
            hold(method, path, answer.status, answer.headers["content-type"], answer.body)
        return answer

    def rest(self) -> bytes:
        """Everything up to the end of the stream."""
        data = self._buffer
        while chunk := self.socket.recv(65536):
            data += chunk
        return data

    def _more(self) -> None:
        chunk = self.socket.recv(65536)
        if not chunk:
            raise ConnectionError(f"hung up after {self._buffer[:200]!r}")
        self._buffer += chunk


def request(path: str, method: str = "GET", *headers: str) -> bytes:
    """The bytes of a request as curl sends it."""
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: localhost", *headers, "", "")).encode()


def needs_root() -> None:
    """Skip where other users cannot be impersonated; in CI that is a failure."""
    if os.geteuid() != 0:
        missing("the right to become other users", "run the tests as root")


def as_stranger(
    path: Path, data: bytes, *, uid: int = ANOTHER_UID, gids: Sequence[int] = (ANOTHER_UID,), name: str = ""
) -> bytes:
    """What another user receives; `name` is an abstract address to connect from, without its leading NUL."""
    arguments = [str(path), str(uid), ",".join(map(str, gids)), name]
    return subprocess.run(
        [sys.executable, "-I", str(STRANGER), *arguments], input=data, capture_output=True, check=True
    ).stdout
