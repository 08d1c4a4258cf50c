"""The broker's own Vault token: one login shared by everything that reads through a backend.

Owns: single flight, renewal at two thirds of its life, and the login that replaces it (R-089 to R-091). Refuses to
know: how a method proves who we are (`methods`), how long to wait after a failure (`login_pause`), and secrets.

A renewal or login is done by the caller who finds it due. The old token is kept until the new one is there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from backends.vault.answers import BAD_REQUEST, FORBIDDEN, OK, SEALED, SERVER_ERROR, unavailable
from backends.vault.client import VaultClient
from backends.vault.login_pause import LoginPause
from backends.vault.methods import Method
from backends.vault.token import HeldToken, granted
from broker.api import BackendLogin, PluginContext, SecretBackendUnavailable

RELOGIN_PAUSE_SECONDS = 30.0
"""Tokens that die as soon as they are got must not become a login storm (R-089); `login_pause` holds what fails."""
LEAST_GAIN = 0.1
"""A renewal that moves the end by less than this share of what was left has met the token's maximum life."""

Clock = Callable[[], float]


def boot_seconds() -> float:
    """The clock that goes on while the machine sleeps, as the server's does."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Login:
    """Thread-safe. Every method raises SecretBackendUnavailable only; deadlines are on `time.monotonic`."""

    def __init__(
        self, method: Method, client: VaultClient, context: PluginContext, *, where: str, clock: Clock
    ) -> None:
        self._method = method
        self._client = client
        self._context = context
        self._where = where
        self._clock = clock
        self._lock = threading.Lock()
        self._held: HeldToken | None = None
        self._identity: object = None
        self._patience_until = 0.0
        self._next_relogin_at = 0.0
        self._vouched_for: HeldToken | None = None
        self._pause = LoginPause()

    @property
    def held(self) -> HeldToken | None:
        """The token of the last login, without asking anybody."""
        return self._held

    def token(self, deadline: float) -> HeldToken:
        """A token to ask with; logs in or renews if that is due and nobody else is at it."""
        held = self._held
        if held is not None and (not self._is_due(held) or self._is_being_replaced(held)):
            return held
        with self._alone(deadline):
            held = self._held
            if held is None:
                return self._log_in(deadline)
            return self._successor(held, deadline) if self._is_due(held) else held

    def is_alive(self, held: HeldToken, deadline: float) -> bool:
        """Whether the server still knows this token: then it was a policy that said 403."""
        if held is self._vouched_for and self._clock() < self._next_relogin_at:
            return True
        answer = self._client.ask(
            lambda vault: vault.auth.token.lookup_self(), token=held.value, deadline=deadline
        )
        if answer.status not in (OK, FORBIDDEN):
            raise unavailable(answer, self._where)
        return answer.status == OK

    def another_than(self, dead: HeldToken, deadline: float) -> HeldToken:
        """A token in place of one that the server no longer knows; logs in once in a pause."""
        with self._alone(deadline):
            if self._held is not None and self._held is not dead:
                return self._held
            wait = self._next_relogin_at - self._clock()
            if wait > 0:
                raise SecretBackendUnavailable(
                    f"{self._where}: the server forgot our token again; next login in {wait:.0f} s",
                    code="login_paused",
                    retry_after_seconds=wait,
                )
            fresh = self._log_in(deadline)
            self._next_relogin_at = self._clock() + RELOGIN_PAUSE_SECONDS
            return fresh

    def vouch(self, fresh: HeldToken) -> None:
        """This token was got a moment ago: if it may not even look itself up, it is alive all the same."""
        self._vouched_for = fresh

    def _is_due(self, held: HeldToken) -> bool:
        return self._is_old(held) or self._is_of_other_credentials()

    def _is_old(self, held: HeldToken) -> bool:
        return self._clock() >= max(held.renew_at, self._patience_until)

    def _is_of_other_credentials(self) -> bool:
        return self._method.follows_files and self._method.identity() != self._identity

    def _is_being_replaced(self, held: HeldToken) -> bool:
        return self._lock.locked() and self._clock() < held.ends_at

    @contextmanager
    def _alone(self, deadline: float) -> Iterator[None]:
        if not self._lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise SecretBackendUnavailable(f"{self._where}: a login is still under way", code="timeout")
        try:
            yield
        finally:
            self._lock.release()

    def _successor(self, held: HeldToken, deadline: float) -> HeldToken:
        # Half the time, so that the old token can still be used in the other half.
        halfway = (time.monotonic() + deadline) / 2
        if self._is_of_other_credentials():
            with suppress(SecretBackendUnavailable):  # then the old token is good for all its life
                return self._log_in(halfway)
            if not self._is_old(held):
                return held
        try:
            return self._renew(held, halfway) or self._log_in(halfway)
        except SecretBackendUnavailable:
            left = held.ends_at - self._clock()
            if left <= 0:
                self._held = None
                raise
            self._patience_until = self._clock() + min(RELOGIN_PAUSE_SECONDS, left / 4)
            return held

    def _renew(self, held: HeldToken, deadline: float) -> HeldToken | None:
        """The same token with a longer life; None if it takes a login."""
        now = self._clock()
        if not held.renewable or now >= held.ends_at:
            return None
        answer = self._client.ask(
            lambda vault: vault.auth.token.renew_self(), token=held.value, deadline=deadline
        )
        if answer.status in (BAD_REQUEST, FORBIDDEN):
            return None
        renewed = granted(answer, now=now, where=self._where, value=held.value)
        self._held = renewed
        gained = renewed.ends_at - held.ends_at
        return renewed if gained > LEAST_GAIN * (renewed.ends_at - now) else None

    def _log_in(self, deadline: float) -> HeldToken:
        now, identity = self._clock(), self._method.identity()
        everything = identity, self._client.identity()
        self._pause.hold(now, everything, lambda: self._is_back(deadline))
        try:
            held = self._method.log_in(now, deadline)
        except SecretBackendUnavailable as error:
            self._pause.failed(error, now, everything)
            self._report("failure", error.message)
            raise
        self._held, self._identity = held, identity
        self._patience_until = 0.0
        self._pause = LoginPause()
        self._report("success")
        return held

    def _is_back(self, deadline: float) -> bool:
        """Whether the server is unsealed; False if it does not tell, as some do not from within a namespace."""
        answer = self._client.ask(
            lambda vault: vault.sys.read_seal_status(), token=None, deadline=deadline, in_namespace=False
        )
        sealed = answer.member("sealed")
        if sealed is True:
            answer = replace(answer, status=SEALED)
        if answer.status >= SERVER_ERROR:
            raise unavailable(answer, self._where)
        return answer.status == OK and sealed is False

    def _report(self, outcome: str, message: str | None = None) -> None:
        self._context.observer(
            BackendLogin(
                backend=self._context.name,
                outcome="success" if outcome == "success" else "failure",
                method=self._method.name,
                message=message,
            )
        )
