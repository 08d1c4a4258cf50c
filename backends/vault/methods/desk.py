"""Where logins are handed in: what every method needs to ask, and what the usual answers mean.

Owns: the sentence for a refused login, and the reading of credential files. Refuses to know: any one method.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.vault.answers import BAD_REQUEST, FORBIDDEN, NOT_FOUND
from backends.vault.client import Ask, VaultClient
from backends.vault.token import HeldToken, granted, is_header_value
from broker.api import SecretBackendUnavailable

MAX_CREDENTIAL_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """`where` begins every message; `namespace` is empty for the root; `warn` tells an operator something, once."""

    client: VaultClient
    where: str
    namespace: str
    private_key_file: str | None
    """Of the certificate that connections show."""
    warn: Callable[[str], None]

    def log_in(self, ask: Ask, *, now: float, deadline: float, mount: str, doubt: str) -> HeldToken:
        """The token that a login gives; `doubt` is what to look at if it is refused."""
        if self.private_key_file is not None:
            with suppress(OSError):  # the session says what is missing
                self._warn_if_open(self.private_key_file, Path(self.private_key_file).stat().st_mode)
        answer = self.client.ask(ask, token=None, deadline=deadline)
        if answer.status in (BAD_REQUEST, FORBIDDEN, NOT_FOUND):
            place = f" in namespace {self.namespace}" if self.namespace else ""
            raise SecretBackendUnavailable(
                f"{self.where}: login refused at auth/{mount.strip('/')}{place} (status {answer.status}): {doubt}",
                code="login_refused",
            )
        return granted(answer, now=now, where=self.where)

    def credential(self, path: str, *, secret: bool = True) -> str:
        """The text of a credential file without the white space around it; an empty one is never sent (F-28)."""
        try:
            with Path(path).open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                content = file.read(MAX_CREDENTIAL_BYTES + 1)
        except OSError as error:
            raise SecretBackendUnavailable(
                f"{self.where}: {path}: {error.strerror}: the login needs this file", code="login_file"
            ) from None
        text = content.decode("ascii", errors="replace").strip()
        if not is_header_value(text) or len(content) > MAX_CREDENTIAL_BYTES:
            raise SecretBackendUnavailable(
                f"{self.where}: {path}: does not hold a credential", code="login_file"
            )
        if secret:
            self._warn_if_open(path, mode)
        return text

    def _warn_if_open(self, path: str, mode: int) -> None:
        if mode & (stat.S_IROTH | stat.S_IWOTH):
            self.warn(f"{path} can be read by everybody (mode {stat.S_IMODE(mode):04o}): chmod o= {path}")


def login_at(mount: str, parameters: dict[str, Any]) -> Ask:
    """A login with these parameters, for methods whose own function in hvac does more than to send them."""
    return lambda vault: vault.adapter.post(f"/v1/auth/{mount.strip('/')}/login", json=parameters)
