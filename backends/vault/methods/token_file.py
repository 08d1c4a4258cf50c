"""Method token_file: a token that somebody else obtained; "login" is to look it up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from backends.vault.answers import FORBIDDEN
from backends.vault.methods.desk import Desk
from backends.vault.options import TokenFile
from backends.vault.session import identity
from backends.vault.token import HeldToken, looked_up
from broker.api import Secret, SecretBackendUnavailable


@dataclass(frozen=True, slots=True)
class TokenFileMethod:
    """`auth/token/lookup-self`."""

    name: ClassVar[str] = "token_file"
    owns_token: ClassVar[bool] = False
    follows_files: ClassVar[bool] = True
    options: TokenFile
    desk: Desk

    def identity(self) -> object:
        return identity(self.options.path)

    def log_in(self, now: float, deadline: float) -> HeldToken:
        value = Secret(self.desk.credential(self.options.path))
        answer = self.desk.client.ask(
            lambda vault: vault.auth.token.lookup_self(mount_point=self.options.mount.strip("/")),
            token=value,
            deadline=deadline,
        )
        if answer.status == FORBIDDEN:
            raise SecretBackendUnavailable(
                f"{self.desk.where}: the token in {self.options.path} is expired, revoked "
                "or may not look itself up: put a new one there",
                code="login_refused",
            )
        return looked_up(answer, now=now, where=self.desk.where, value=value)
