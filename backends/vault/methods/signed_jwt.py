"""Methods kubernetes and jwt: a JWT that somebody else signs and replaces, sent with the name of a role.

Owns: the two logins, which differ in their mount. Refuses to know: what is in the JWT; the server judges it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from backends.vault.methods.desk import Desk, login_at
from backends.vault.options import Jwt, Kubernetes
from backends.vault.session import identity
from backends.vault.token import HeldToken


@dataclass(frozen=True, slots=True)
class SignedJwtMethod:
    """`auth/kubernetes/login`, `auth/jwt/login`."""

    owns_token: ClassVar[bool] = True
    follows_files: ClassVar[bool] = False
    """It is replaced every few minutes, and the Vault token of the last login is as good as another."""
    options: Kubernetes | Jwt
    desk: Desk

    @property
    def name(self) -> str:
        return "kubernetes" if isinstance(self.options, Kubernetes) else "jwt"

    def identity(self) -> object:
        return identity(self.options.jwt_file)

    def log_in(self, now: float, deadline: float) -> HeldToken:
        options = self.options
        jwt = self.desk.credential(options.jwt_file, secret=isinstance(options, Jwt))  # a pod's own is 0644
        return self.desk.log_in(
            login_at(options.mount, {"role": options.role, "jwt": jwt}),
            now=now,
            deadline=deadline,
            mount=options.mount,
            doubt=f"does role {options.role} exist, and does it take the JWT in {options.jwt_file}: "
            "issuer, audience, subject, expiry?",
        )
