"""What a drill's programs do: they read the token, from its file or from the socket, and call an API with it.

Owns: twenty of them, a call a second each, and the account of their calls. Refuses to know: how a token is judged.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Final, Self

from tests.daemon.running import Daemon
from tests.servers.http import ask

PROGRAMS: Final = 20
SECONDS_BETWEEN_CALLS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call: what came of it, and when it was made (`time.monotonic`)."""

    where: str
    outcome: str
    began: float
    ended: float


class Programs:
    """Half of them read the file, half the socket. They run inside of the `with` block."""

    def __init__(self, daemon: Daemon, api: str) -> None:
        self._daemon = daemon
        self._api = api
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(PROGRAMS)
        ]
        self._calls: list[Call] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def calls(self) -> list[Call]:
        """All of them until now."""
        return list(self._calls)

    @property
    def failed(self) -> list[Call]:
        """Those that the API did not answer with 200, or for which there was no token."""
        return [call for call in self.calls if call.outcome != "200"]

    def _run(self, number: int) -> None:
        where = "file" if number % 2 else "socket"
        # Spread over the second, so that no instant goes unobserved.
        self._stop.wait(number / PROGRAMS * SECONDS_BETWEEN_CALLS)
        while not self._stop.is_set():
            began = time.monotonic()
            outcome = self._call(where)
            self._calls.append(Call(where=where, outcome=outcome, began=began, ended=time.monotonic()))
            self._stop.wait(max(0.0, began + SECONDS_BETWEEN_CALLS - time.monotonic()))

    def _call(self, where: str) -> str:
        try:
            token = self._from_file() if where == "file" else self._from_socket()
            return str(ask("GET", self._api, headers={"Authorization": f"Bearer {token}"}).status)
        except (OSError, LookupError, ValueError) as error:
            return type(error).__name__

    def _from_file(self) -> str:
        return (self._daemon.directory / "run" / "tokens" / "deploy").read_text()

    def _from_socket(self) -> str:
        status, token = self._daemon.ask("/v1/tokens/deploy", accept="text/plain")
        if status != 200:
            raise LookupError(status)
        return str(token)
