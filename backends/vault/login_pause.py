"""When the next login may be tried after one that failed.

Owns: the pauses, which double, and what ends them early: replaced credentials, or a server that is back (R-092, F-22).
Refuses to know: logins, and how it is found out that the server is back.
"""

from __future__ import annotations

from collections.abc import Callable

from broker.api import SecretBackendUnavailable

LONGEST_SECONDS = 300.0
"""A refused login is refused again, and after five of them Vault locks a role for a quarter of an hour."""
LONGEST_WITHOUT_A_LOGIN_SECONDS = 10.0
"""Between two looks at a file that is missing, or at a server that was away."""
OURS = frozenset({"login_file", "no_credentials"})
"""No server was asked."""
ANSWERED = frozenset({"login_refused", "wrapping_refused", "throttled"})
"""The server was there, so that to look for it would tell nothing."""


class LoginPause:
    """Of the failures since the last login that worked. Not thread-safe; `now` is on the clock of `login`."""

    def __init__(self) -> None:
        self._failure: SecretBackendUnavailable | None = None
        self._identity: object = None
        self._failures = 0
        self._looks = 0
        self._next_look_at = 0.0
        self._next_login_at = 0.0
        self._trusts_looks = True
        self._early = False

    def hold(self, now: float, identity: object, is_back: Callable[[], bool]) -> None:
        """Raise the last failure again unless it is time to try.

        `is_back` may be asked: it answers whether the server is there, False if that cannot be told, and raises what
        is in the way.
        """
        failure = self._failure
        if failure is None or identity != self._identity:
            return
        if now < self._next_look_at:
            raise self._again(failure)
        if failure.code not in OURS | ANSWERED and self._trusts_looks:
            self._looks += 1
            self._next_look_at = now + min(_doubled(self._looks), LONGEST_WITHOUT_A_LOGIN_SECONDS)
            try:
                self._early = self._trusts_looks = is_back()
            except SecretBackendUnavailable as error:
                self._failure = error
                raise
            if self._early:
                return
        if now < self._next_login_at:
            raise self._again(failure)

    def failed(self, failure: SecretBackendUnavailable, now: float, identity: object) -> None:
        """A login was tried and failed."""
        if self._early:  # it looked as if it would work
            self._trusts_looks = False
        longest = LONGEST_WITHOUT_A_LOGIN_SECONDS if failure.code in OURS else LONGEST_SECONDS
        pause = max(min(_doubled(self._failures), longest), failure.retry_after_seconds or 0.0)
        self._failures += 1
        self._failure, self._identity = failure, identity
        self._next_login_at = now + pause
        self._next_look_at = now + min(pause, LONGEST_WITHOUT_A_LOGIN_SECONDS)

    def _again(self, failure: SecretBackendUnavailable) -> SecretBackendUnavailable:
        return SecretBackendUnavailable(failure.message, code=failure.code)


def _doubled(times: int) -> float:
    """Bounded, since a float is: a file may be missing for weeks."""
    return 2.0 ** min(times, 16)
