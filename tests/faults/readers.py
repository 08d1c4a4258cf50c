"""Somebody who looks at the token all the time, and remembers whatever was wrong with it.

Owns: a thread that reads the token file, or asks the socket, every few milliseconds. Refuses to know: what happens to
the daemon meanwhile.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Self

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.daemon.running import Daemon

PAUSE_SECONDS = 0.005


class Reader:
    """Reads inside of the `with` block; `look` answers what was wrong, or nothing."""

    def __init__(self, look: Callable[[], str]) -> None:
        self._look = look
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.looks = 0
        self.wrong: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(PAUSE_SECONDS):
            wrong = self._look()
            self.looks += 1
            if wrong:
                self.wrong.append(wrong)


def of_file(path: Path, server: DevelopmentAuthorizationServer) -> Callable[[], str]:
    """Whether the JSON file is there, whole, and holds a token that the server gave out and that is valid."""

    def look() -> str:
        try:
            token = json.loads(path.read_bytes())["access_token"]
        except (OSError, ValueError, LookupError) as error:
            return type(error).__name__
        return "" if server.introspect(token)["active"] else "inactive"

    return look


def of_socket(daemon: Daemon, name: str, server: DevelopmentAuthorizationServer) -> Callable[[], str]:
    """Whether the socket serves a token that the server gave out and that is valid."""

    def look() -> str:
        status, token = daemon.ask(f"/v1/tokens/{name}", accept="text/plain")
        if status != 200:
            return f"{status} {token}"
        return "" if server.introspect(token)["active"] else "inactive"

    return look
