"""Tokens that a client holds, so that not every use is a request.

Owns: until when a held token serves, and when the broker is asked for its successor. Refuses to know: how it
is asked. Without a lock: a name has one entry, replaced as a whole.
"""

from time import monotonic, time

from broker.client.token import Token

RECHECK_SECONDS = 5.0
"""Between questions for a successor in the second half of a life: the broker renews at about half of it."""


class _Held:
    __slots__ = ("ask_at", "ends_at", "token")

    def __init__(self, token: Token, *, ask_at: float, ends_at: float) -> None:
        self.token = token
        self.ask_at = ask_at
        self.ends_at = ends_at


class Cache:
    """At most one token for each name. Moments are monotonic, so that a clock set back lengthens no life."""

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}
        self._refused: dict[str, str] = {}

    def held(self, name: str, *, min_valid_seconds: float) -> Token | None:
        """The token that is valid for at least that long by both clocks, or None."""
        held = self._held.get(name)
        if held is None:
            return None
        left = min(held.token.expires_at - time(), held.ends_at - monotonic())
        return held.token if left > min_valid_seconds else None

    def is_due(self, name: str) -> bool:
        """Whether the broker should be asked although a token is held."""
        held = self._held.get(name)
        return held is None or monotonic() >= held.ask_at

    def put_off(self, name: str) -> None:
        """The broker was asked in vain: use what is held for a while."""
        held = self._held.get(name)
        if held is not None:
            held.ask_at = monotonic() + RECHECK_SECONDS

    def hold(self, token: Token) -> None:
        """Keep `token`, unless an API has refused it."""
        if self._refused.get(token.name) == token.fingerprint:
            return
        now, wall = monotonic(), time()
        life = token.expires_at - token.issued_at
        until_half = token.issued_at + life / 2 - wall
        pause = until_half if until_half > 0 else min(RECHECK_SECONDS, max(0.0, life / 20))
        self._held[token.name] = _Held(token, ask_at=now + pause, ends_at=now + token.expires_at - wall)

    def refuse(self, name: str, fingerprint: str) -> bool:
        """Drop the token with this fingerprint and never hold it again; whether that is news."""
        held = self._held.get(name)
        if held is not None and held.token.fingerprint == fingerprint:
            self._held.pop(name, None)
        known = self._refused.get(name) == fingerprint
        self._refused[name] = fingerprint
        return not known

    def drop(self, name: str) -> None:
        """Forget the token: it is not ours any more."""
        self._held.pop(name, None)
