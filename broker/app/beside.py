"""`once` beside another instance: its tokens are waited for, on its socket and in the configured files.

Owns: when a token of the other instance counts as published. Refuses to know: minting, locks.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from broker.client.errors import BrokerUnreachable, TokenClientError, TokenUnavailable, TryAgainLater
from broker.client.fetch import fetch
from broker.client.pause import pause
from broker.client.roster import roster
from broker.config.schema import Config

SLICE_SECONDS = 1.0
"""How long to wait at a time: the other instance may end meanwhile, and be no daemon but `once` too."""
LOOK_AGAIN_SECONDS = 0.05


class Beside:
    """What the other instance has published so far."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._problem: TokenClientError | str = "nobody answers at the socket"
        self._name = ""

    def published(self, *, wait_seconds: float) -> bool:
        """Whether every token is usable and in its files, after at most about `wait_seconds`.

        Raises TokenClientError for what no time will change: AccessDenied for a name that the daemon does not know.
        """
        deadline = time.monotonic() + wait_seconds
        for name in self._config.tokens:
            self._name = name
            left = max(0.0, deadline - time.monotonic())
            try:
                fetch(self._config.socket.path, name, accept="text/plain", wait_seconds=left)
                while problem := self._unpublished(name):
                    self._problem = problem
                    if time.monotonic() >= deadline:
                        return False
                    pause(LOOK_AGAIN_SECONDS)
            except (TryAgainLater, TokenUnavailable, BrokerUnreachable) as error:
                self._problem = error
                return False
        return True

    def give_up(self) -> int:
        """Tell what is missing; the exit code for it."""
        sys.stderr.write(f"token-broker: {self._name}: the other instance has no token: {self._problem}\n")
        return os.EX_UNAVAILABLE if isinstance(self._problem, TokenUnavailable) else os.EX_TEMPFAIL

    def _unpublished(self, name: str) -> str | None:
        """Why a token that the socket serves is not in its files. A file that we may not see counts as there."""
        for record in roster(self._config.socket.path):
            if record.get("name") == name and record.get("condition") == "publish_failed":
                return f"publish_failed: {record.get('reason')}"
        for table in self._config.tokens[name].files:
            path = Path(table.options.path)
            try:
                path.lstat()
            except FileNotFoundError:
                return f"{path} is not there yet"
            except OSError:
                continue
        return None
