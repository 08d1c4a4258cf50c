"""Method approle: a role-id, which is a name, and a secret-id, which is a password; plain or in its wrapping."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from backends.vault.methods.desk import Desk, login_at
from backends.vault.methods.wrapped_secret_id import WrappedSecretId
from backends.vault.options import AppRole
from backends.vault.session import identity
from backends.vault.token import HeldToken


@dataclass(slots=True)
class AppRoleMethod:
    """`auth/approle/login`."""

    name: ClassVar[str] = "approle"
    owns_token: ClassVar[bool] = True
    options: AppRole
    desk: Desk
    _wrapped: WrappedSecretId | None = field(init=False)

    def __post_init__(self) -> None:
        self._wrapped = WrappedSecretId(self.options, self.desk) if self.options.secret_id_wrapped else None

    @property
    def follows_files(self) -> bool:
        """A wrapping lasts minutes, so it is opened when it comes; a plain secret-id can wait for the next login."""
        return self.options.secret_id_wrapped

    def identity(self) -> object:
        if self._wrapped is not None:
            return self._wrapped.identity()
        return identity(self.options.secret_id_file), identity(self.options.role_id_file or "")

    def log_in(self, now: float, deadline: float) -> HeldToken:
        options = self.options
        role_id = options.role_id or self.desk.credential(options.role_id_file or "", secret=False)
        accessor = ""
        if self._wrapped is None:
            secret_id = self.desk.credential(options.secret_id_file)
        else:
            taken = self._wrapped.take(deadline)
            secret_id = taken.secret_id.reveal()
            accessor = f" (accessor {taken.accessor})" if taken.accessor else ""
        return self.desk.log_in(
            login_at(options.mount, {"role_id": role_id, "secret_id": secret_id}),
            now=now,
            deadline=deadline,
            mount=options.mount,
            doubt=f"is {options.role_id_file or 'role_id'} right, and the secret-id in "
            f"{options.secret_id_file}{accessor} still valid: neither expired nor used up?",
        )
