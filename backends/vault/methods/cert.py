"""Method cert: the TLS client certificate that the session presents; the login itself names a role at most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from backends.vault.methods.desk import Desk, login_at
from backends.vault.options import Cert
from backends.vault.session import identity
from backends.vault.token import HeldToken


@dataclass(frozen=True, slots=True)
class CertMethod:
    """`auth/cert/login`. The same certificate must be shown when the token is renewed: the session shows it always."""

    name: ClassVar[str] = "cert"
    owns_token: ClassVar[bool] = True
    follows_files: ClassVar[bool] = True
    """A token is bound to its certificate: with another one on the connection it is not renewed."""
    options: Cert
    desk: Desk

    def identity(self) -> object:
        return identity(self.options.certificate_file), identity(self.options.private_key_file)

    def log_in(self, now: float, deadline: float) -> HeldToken:
        options = self.options
        role = f"role {options.role}" if options.role else "a role"
        return self.desk.log_in(
            login_at(options.mount, {} if options.role is None else {"name": options.role}),
            now=now,
            deadline=deadline,
            mount=options.mount,
            doubt=f"is there {role} whose authority signed {options.certificate_file}, and is that still valid?",
        )
