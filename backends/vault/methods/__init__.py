"""The ways to prove to Vault who we are: one module for each `auth.method`.

Owns: what all of them are (`Method`) and which one a table asks for. Refuses to know: when to log in (`login`).
"""

from __future__ import annotations

from typing import ClassVar, Protocol, assert_never

from backends.vault.methods.approle import AppRoleMethod
from backends.vault.methods.cert import CertMethod
from backends.vault.methods.desk import Desk
from backends.vault.methods.signed_jwt import SignedJwtMethod
from backends.vault.methods.token_file import TokenFileMethod
from backends.vault.options import AppRole, Auth, Aws, Cert, Jwt, Kubernetes, TokenFile
from backends.vault.token import HeldToken


class Method(Protocol):
    """Credential files are read at each login, so that a replaced one needs no reload (R-093)."""

    @property
    def name(self) -> str:
        """As `auth.method` has it."""
        ...

    owns_token: ClassVar[bool]
    """Whether a login makes a token of our own, which may be revoked."""

    @property
    def follows_files(self) -> bool:
        """Whether replaced credentials are to be used at once, not at the next login that is due anyway."""
        ...

    def identity(self) -> object:
        """Equal as long as nobody replaced the credential files; costs no more than looking at them."""
        ...

    def log_in(self, now: float, deadline: float) -> HeldToken:
        """A token, whose life is counted from `now`. Raises SecretBackendUnavailable only."""
        ...


def method_for(auth: Auth, desk: Desk) -> Method:
    """What the table asks for."""
    match auth:
        case TokenFile():
            return TokenFileMethod(auth, desk)
        case AppRole():
            return AppRoleMethod(auth, desk)
        case Kubernetes() | Jwt():
            return SignedJwtMethod(auth, desk)
        case Cert():
            return CertMethod(auth, desk)
        case Aws():
            from backends.vault.methods.aws import AwsMethod  # botocore, for those who use it

            return AwsMethod(auth, desk)
        case _:
            assert_never(auth)
