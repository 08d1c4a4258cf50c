"""The ways to prove to Vault who we are.

Owns: one class for each `auth.method`, and what a login gives. Refuses to know: when to log in (`login`).
Credential files are read at each login, so that a replaced one needs no reload.
"""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

from backends.vault.answers import BAD_REQUEST, FORBIDDEN, NOT_FOUND, OK, unavailable
from backends.vault.client import Answer, VaultClient
from backends.vault.options import AppRole, TokenFile
from broker.api import Secret, SecretBackendUnavailable

RENEW_AT = 2 / 3
"""The share of its life after which our token is renewed (R-090)."""
MAX_CREDENTIAL_BYTES = 16 * 1024

Warn = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeldToken:
    """A Vault token and its life, in seconds on the clock of `login`; infinite for one without an end."""

    value: Secret
    renewable: bool
    renew_at: float = math.inf
    ends_at: float = math.inf


class Method(Protocol):
    """Raises SecretBackendUnavailable only."""

    name: ClassVar[str]

    def changed(self) -> bool:
        """Whether the credentials are others than those of the last login that worked."""
        ...

    def log_in(self, now: float, deadline: float) -> HeldToken:
        """A token, whose life is counted from `now`."""
        ...


@dataclass(slots=True, kw_only=True)
class AppRoleMethod:
    """`auth/approle/login`: a role-id and a secret-id for a token."""

    name: ClassVar[str] = "approle"
    options: AppRole
    client: VaultClient
    where: str
    warn: Warn

    def changed(self) -> bool:
        return False

    def log_in(self, now: float, deadline: float) -> HeldToken:
        options = self.options
        role_id = options.role_id or _credential(options.role_id_file or "", self.where)
        secret_id = _credential(options.secret_id_file, self.where, warn=self.warn)
        answer = self.client.ask(
            lambda vault: vault.auth.approle.login(
                role_id=role_id, secret_id=secret_id, use_token=False, mount_point=options.mount
            ),
            token=None,
            deadline=deadline,
        )
        if answer.status in (BAD_REQUEST, FORBIDDEN, NOT_FOUND):
            role_from = options.role_id_file or "role_id"
            raise SecretBackendUnavailable(
                f"{self.where}: login refused at auth/{options.mount}: is {role_from} right, "
                f"and the secret-id in {options.secret_id_file} still valid?",
                code="login_refused",
            )
        return lease(answer, "auth", now=now, where=self.where)


@dataclass(slots=True, kw_only=True)
class TokenFileMethod:
    """A token that somebody else obtained; "login" is to look it up."""

    name: ClassVar[str] = "token_file"
    options: TokenFile
    client: VaultClient
    where: str
    warn: Warn
    _seen: tuple[int, int, int] | None = field(default=None, init=False)

    def changed(self) -> bool:
        return self._identity() != self._seen

    def log_in(self, now: float, deadline: float) -> HeldToken:
        identity = self._identity()
        value = Secret(_credential(self.options.path, self.where, warn=self.warn))
        mount = self.options.mount
        answer = self.client.ask(
            lambda vault: vault.auth.token.lookup_self(mount_point=mount), token=value, deadline=deadline
        )
        if answer.status == FORBIDDEN:
            raise SecretBackendUnavailable(
                f"{self.where}: the token in {self.options.path} is expired, revoked "
                "or may not look itself up: put a new one there",
                code="login_refused",
            )
        held = lease(answer, "data", now=now, where=self.where, value=value)
        self._seen = identity
        return held

    def _identity(self) -> tuple[int, int, int] | None:
        try:
            found = Path(self.options.path).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size


def lease(answer: Answer, part: str, *, now: float, where: str, value: Secret | None = None) -> HeldToken:
    """The token that a login, lookup or renewal answered with, in the member `part` of the answer."""
    token = answer.member(part, "client_token") if value is None else value.reveal()
    seconds = answer.member(part, "ttl" if part == "data" else "lease_duration")
    renewable = answer.member(part, "renewable")
    if answer.status != OK or not _is_header_value(token) or not _is_count(seconds):
        raise unavailable(answer, where)
    life = float(seconds)
    if life == 0:  # a root token
        return HeldToken(value=Secret(token), renewable=False)
    return HeldToken(
        value=Secret(token),
        renewable=renewable is True,
        renew_at=now + life * RENEW_AT,
        ends_at=now + life,
    )


def _is_header_value(token: object) -> bool:
    """Any other token would be quoted by requests in the error it raises."""
    return (
        isinstance(token, str)
        and token.isascii()
        and token.isprintable()
        and token != ""
        and " " not in token
    )


def _is_count(seconds: object) -> bool:
    return isinstance(seconds, str) and seconds.isascii() and seconds.isdigit() and len(seconds) < 16  # noqa: PLR2004 - exact as a float


def _credential(path: str, where: str, *, warn: Warn | None = None) -> str:
    """The text of a credential file without the white space around it."""
    try:
        with Path(path).open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(MAX_CREDENTIAL_BYTES + 1)
    except OSError as error:
        raise SecretBackendUnavailable(
            f"{where}: {path}: {error.strerror}: the login needs this file", code="login_file"
        ) from None
    text = content.decode("ascii", errors="replace").strip()
    if not _is_header_value(text) or len(content) > MAX_CREDENTIAL_BYTES:
        raise SecretBackendUnavailable(f"{where}: {path}: does not hold a credential", code="login_file")
    if warn is not None and mode & (stat.S_IROTH | stat.S_IWOTH):
        warn(f"{path} can be read by everybody (mode {stat.S_IMODE(mode):04o}): chmod o= {path}")
    return text
