"""Who is let in by an API that demands the current access token, and the account of everybody who came.

Owns: the verdict on a token, and per consumer how many requests were made, how many refused and why, which tokens were
brought, and how long after its succession an old one still came. Refuses to know: HTTP, and the programs that ask.

The predecessor of the current token is let in for a short while more, as with every real server: a request may be on
its way when the token is replaced. After that it is refused although it has not expired.
"""

from __future__ import annotations

import base64
import binascii
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from broker.dev.authorization_server import DevelopmentAuthorizationServer

OVERLAP_SECONDS: Final = 8.0

Outcome = Literal["let in", "superseded", "expired", "no token of ours"]


@dataclass(slots=True)
class Account:
    """What one consumer did."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    let_in_with: set[int] = field(default_factory=set)
    """Ordinals of the tokens, from 0."""
    latest_seconds: float = 0.0
    """The longest time after its succession that a superseded token was brought, let in or not."""

    @property
    def requests(self) -> int:
        """All of them."""
        return self.outcomes.total()

    @property
    def refused(self) -> int:
        """Those that were answered 401."""
        return self.requests - self.outcomes["let in"]


class Door:
    """Judges the tokens that the development authorization server issued to one client. Thread-safe."""

    def __init__(
        self,
        server: DevelopmentAuthorizationServer,
        *,
        client_id: str,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._server = server
        self._client_id = client_id
        self._now = now
        self._changed = threading.Condition()
        self._ordinals: dict[str, int] = {}
        self._issued_at: list[float] = []
        self._accounts: dict[str, Account] = {}

    def admits(self, consumer: str, authorization: str | None) -> bool:
        """Whether this Authorization header opens the door; noted in the consumer's account."""
        token = _token(authorization)
        with self._changed:
            self._look()
            account = self._accounts.setdefault(consumer, Account())
            ordinal = self._ordinals.get(token)
            outcome = self._judge(token, ordinal, account)
            account.outcomes[outcome] += 1
            if outcome == "let in" and ordinal is not None:
                account.let_in_with.add(ordinal)
            self._changed.notify_all()
            return outcome == "let in"

    def account(self, consumer: str) -> Account:
        """Of a consumer, empty for one that never came."""
        with self._changed:
            return self._accounts.get(consumer, Account())

    @property
    def newest(self) -> int:
        """The ordinal of the current token, -1 before the first request."""
        with self._changed:
            return len(self._issued_at) - 1

    def wait_for_succession(self, consumers: Iterable[str], *, after: int, timeout_seconds: float) -> bool:
        """Wait for a token newer than `after` until each was let in with the newest; False after the time-out."""
        names = tuple(consumers)

        def arrived() -> bool:
            newest = len(self._issued_at) - 1
            accounts = [self._accounts.get(name, Account()) for name in names]
            return newest > after and all(newest in account.let_in_with for account in accounts)

        with self._changed:
            return self._changed.wait_for(arrived, timeout_seconds)

    def _look(self) -> None:
        """Learn of a new token when it is asked about first; its succession counts from its issue."""
        latest = self._server._registry.latest(self._client_id)
        if latest is not None and latest.value.reveal() not in self._ordinals:
            self._ordinals[latest.value.reveal()] = len(self._issued_at)
            self._issued_at.append(latest.issued_at)

    def _judge(self, token: str, ordinal: int | None, account: Account) -> Outcome:
        if ordinal is None:
            return "no token of ours"
        superseded_seconds = 0.0
        if ordinal + 1 < len(self._issued_at):
            superseded_seconds = self._now() - self._issued_at[ordinal + 1]
        account.latest_seconds = max(account.latest_seconds, superseded_seconds)
        if not self._server.introspect(token)["active"]:
            return "expired"
        return "superseded" if superseded_seconds > OVERLAP_SECONDS else "let in"


def _token(authorization: str | None) -> str:
    """The token of a Bearer header, or the password of a Basic one (netrc); empty if there is none."""
    scheme, _, value = (authorization or "").partition(" ")
    if scheme == "Bearer":
        return value
    if scheme == "Basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""
