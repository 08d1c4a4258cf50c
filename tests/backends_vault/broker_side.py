"""A Vault backend as the broker has it: from a table of the configuration, with what it tells and what it holds.

Owns: the decoding of a table, a clock that a test may move, and credential files. Refuses to know: servers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

import backends.vault
from backends.vault.backend import VaultBackend
from backends.vault.login import boot_seconds
from broker.api import BackendLogin, LifeCycle, PluginContext
from broker.testing.observer import RecordingObserver

PATIENCE_SECONDS = 20.0


class BrokerSide:
    """Its table is checked as `check` would; `ahead_seconds` is how far its clock runs before the server's.

    With `stands_still` it is the clock: then it shows what the test gives it, however slow the machine is.
    """

    def __init__(self, table: Mapping[str, Any], *, stands_still: bool = False) -> None:
        options = msgspec.convert(dict(table), backends.vault.plugin.options)
        assert () == backends.vault.plugin.check(options)
        self.ahead_seconds = 0.0
        self.observer = RecordingObserver()
        context = PluginContext(name="corp", observer=self.observer)
        self._stands_still = stands_still
        self.backend = VaultBackend(options, context, clock=self._seconds)

    def read(self, path: str, field: str = "client_secret") -> str:
        """The value of one field."""
        return self.backend.read(path, timeout_seconds=PATIENCE_SECONDS).fields[field].reveal()

    def version(self, path: str) -> str | None:
        return self.backend.version(path, timeout_seconds=PATIENCE_SECONDS)

    @property
    def token(self) -> str:
        """The Vault token that it holds."""
        held = self.backend._login.held
        assert held is not None
        return held.value.reveal()

    @property
    def logins(self) -> list[str]:
        """The outcomes of its logins."""
        return [event.outcome for event in self.observer.of(BackendLogin)]

    @property
    def warnings(self) -> list[str]:
        return [event.message for event in self.observer.of(LifeCycle)]

    def _seconds(self) -> float:
        return self.ahead_seconds + (0.0 if self._stands_still else boot_seconds())


def put_file(path: Path, text: str) -> str:
    """Write or replace a credential file as an operator or an agent should: whole, and private."""
    new = path.with_name(f"{path.name}.new")
    new.touch(mode=0o600)
    new.write_text(text)
    new.replace(path)
    return str(path)
