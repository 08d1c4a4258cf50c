"""A secret-id that is delivered in a response wrapping, which can be opened once.

Owns: the look at who wrapped it before it is opened, the opening, and the alarm when somebody else may have seen
what is in it (R-094, F-27). Refuses to know: the login that it is for.

What was opened is kept for the life of the process, by file: a backend may be built anew, the wrapping is spent.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from dataclasses import dataclass
from typing import NoReturn

from backends.vault.answers import BAD_REQUEST, FORBIDDEN, NOT_FOUND, OK, unavailable
from backends.vault.client import Answer
from backends.vault.methods.desk import Desk
from backends.vault.options import AppRole
from backends.vault.session import Identity, identity
from backends.vault.token import is_count, is_header_value
from broker.api import Secret, SecretBackendUnavailable

ALARM = "wrapping_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenSecretId:
    """`wrapping` is a digest of the wrapping token that it came in."""

    wrapping: bytes
    secret_id: Secret
    accessor: str


_taken: dict[str, TakenSecretId] = {}
_opening = threading.Lock()


class WrappedSecretId:
    """Called by one login at a time; several of them may share a file."""

    def __init__(self, options: AppRole, desk: Desk) -> None:
        self._options = options
        self._file = options.secret_id_file
        self._desk = desk
        self._seen: Identity = None
        self._refused: tuple[bytes, str] | None = None

    def identity(self) -> Identity:
        """Of the file as long as it is there: after its opening it may be removed."""
        self._seen = identity(self._file) or self._seen
        return self._seen

    def take(self, deadline: float) -> TakenSecretId:
        """The secret-id; opens the wrapping if that was not done yet."""
        if not _opening.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise SecretBackendUnavailable(
                f"{self._desk.where}: {self._file} is still being unwrapped", code="timeout"
            )
        try:
            return self._take(deadline)
        finally:
            _opening.release()

    def _take(self, deadline: float) -> TakenSecretId:
        taken = _taken.get(self._file)
        try:
            token = Secret(self._desk.credential(self._file))
        except SecretBackendUnavailable:
            if taken is not None:
                return taken
            raise
        wrapping = hashlib.sha256(token.reveal().encode()).digest()
        if taken is not None and taken.wrapping == wrapping:
            return taken
        if self._refused is not None and self._refused[0] == wrapping:
            raise SecretBackendUnavailable(self._refused[1], code=ALARM)
        self._look_at(token, wrapping, deadline)
        opened = self._open(token, wrapping, deadline)
        _taken[self._file] = opened
        return opened

    def _look_at(self, token: Secret, wrapping: bytes, deadline: float) -> None:
        """Who made it, which the server knows and the token cannot lie about."""
        answer = self._desk.client.ask(
            lambda vault: vault.adapter.post("/v1/sys/wrapping/lookup", json={"token": token.reveal()}),
            token=None,
            deadline=deadline,
        )
        self._alarm_if_spent(answer, wrapping)
        path, life = answer.member("data", "creation_path"), answer.member("data", "creation_ttl")
        if answer.status != OK or not isinstance(path, str) or not is_count(life):
            raise unavailable(answer, self._desk.where)
        if not self._expects(path):
            self._alarm(
                wrapping, f"was not made by auth/{self._options.mount.strip('/')}/role/{self._role}/secret-id"
            )
        if float(life) == 0:
            self._alarm(wrapping, "has no life")

    def _open(self, token: Secret, wrapping: bytes, deadline: float) -> TakenSecretId:
        answer = self._desk.client.ask(
            lambda vault: vault.adapter.post("/v1/sys/wrapping/unwrap"), token=token, deadline=deadline
        )
        self._alarm_if_spent(answer, wrapping)
        secret_id = answer.member("data", "secret_id")
        if answer.status != OK or not isinstance(secret_id, str) or not is_header_value(secret_id):
            raise unavailable(answer, self._desk.where)
        accessor = answer.member("data", "secret_id_accessor")
        return TakenSecretId(
            wrapping=wrapping,
            secret_id=Secret(secret_id),
            accessor=accessor if isinstance(accessor, str) and is_header_value(accessor) else "",
        )

    @property
    def _role(self) -> str:
        return self._options.creation_role or "NAME"

    def _expects(self, path: str) -> bool:
        role = re.escape(self._options.creation_role) if self._options.creation_role else r"[^/]+"
        mount = re.escape(self._options.mount.strip("/"))
        return re.fullmatch(rf"auth/{mount}/role/{role}/secret-id", path) is not None

    def _alarm_if_spent(self, answer: Answer, wrapping: bytes) -> None:
        if answer.status in (BAD_REQUEST, FORBIDDEN, NOT_FOUND):
            self._alarm(wrapping, "was opened already, has expired, or never was one")

    def _alarm(self, wrapping: bytes, finding: str) -> NoReturn:
        message = (
            f"SECURITY ALARM: {self._desk.where}: the wrapping token in {self._file} {finding}: unless it was this "
            "broker before a restart, somebody else may know the secret-id: destroy it, and put a new wrapping there"
        )
        self._refused = (wrapping, message)
        self._desk.warn(message)
        raise SecretBackendUnavailable(message, code=ALARM)
