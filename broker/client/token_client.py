"""`TokenClient`: read access tokens from a running token-broker.

Owns: the client that programs hold. Refuses to know: how the broker came by a token, and what it is used for.
`broker.client.aio` is its twin.
"""

from broker.client import rejection, routes
from broker.client.cache import Cache
from broker.client.errors import AccessDenied
from broker.client.fetch import ANSWER_SECONDS, PASSING, Patience, content
from broker.client.pause import pause
from broker.client.session import Session
from broker.client.token import Token, parse
from broker.client.wire import socket_path

RECHECK_ANSWER_SECONDS = 1.0
"""What an answer may take while a valid token is held: nobody waits for a broker that hangs."""


class TokenClient:
    """Reads tokens over the broker's socket. May be shared between threads, and survives a fork."""

    def __init__(self, socket: str | None = None) -> None:
        """`socket` is the path; default: `$TOKEN_BROKER_SOCKET`, else /run/token-broker/token-broker.sock."""
        self.socket_path = socket_path(socket)
        self._session = Session(self.socket_path)
        self._cache = Cache()

    def get(self, name: str, *, min_valid: float = 0.0, wait: float = 0.0) -> Token:
        """The token `name`, valid for at least `min_valid` seconds; waits for one at most `wait` seconds.

        A held token is answered at once, and while it is valid no trouble with the broker is raised. Raises
        TokenClientError: AccessDenied, TokenUnavailable, TryAgainLater, BrokerUnreachable, RequestInvalid or
        UnexpectedAnswer.
        """
        held = self._cache.held(name, min_valid_seconds=min_valid)
        if held is None:
            return self._fetch(name, min_valid=min_valid, wait=wait)
        if not self._cache.is_due(name):
            return held
        self._cache.put_off(name)  # before asking: one of many threads is enough
        try:
            return self._ask(routes.token(name, min_valid_seconds=min_valid), RECHECK_ANSWER_SECONDS)
        except PASSING:
            return held
        except AccessDenied:
            self._cache.drop(name)
            raise

    def reject(
        self, token: Token | str, *, fingerprint: str | None = None, requested_at: float | None = None
    ) -> str:
        """Report that an API answered 401 to `token`, or to the current token of that name; it is held no more.

        `requested_at` is when the refused request was made, in Unix seconds; default: now. The outcome is
        `started` (a successor is being minted), `not_current` (there is another one, or it was reported before) or
        `too_old` (the request was made before this token was issued). Raises TokenClientError: TryAgainLater
        after too many reports.
        """
        name = token if isinstance(token, str) else token.name
        if fingerprint is None:
            refused = self.get(name) if isinstance(token, str) else token
            fingerprint = refused.fingerprint
        target = routes.rejection(name)
        self._cache.refuse(name, fingerprint)
        body = rejection.report(fingerprint, requested_at)
        answer = self._session.exchange("POST", target, timeout_seconds=ANSWER_SECONDS, body=body)
        return rejection.outcome(answer)

    def successor(
        self, token: Token, *, requested_at: float | None = None, wait: float = 5.0
    ) -> Token | None:
        """Report that an API answered 401 to `token`, and answer another one: what a program tries once more with.

        Waits at most `wait` seconds, and once for each token: if none came, the next caller is not made to wait.
        None if there is none. Raises TokenClientError.
        """
        pace = rejection.Pace(wait if self._cache.refuse(token.name, token.fingerprint) else 0.0)
        if self.reject(token, requested_at=requested_at) == "too_old":
            return None
        while True:
            current = self._fetch(token.name, min_valid=0.0, wait=0.0)
            if current.fingerprint != token.fingerprint:
                return current
            pause_seconds = pace.pause()
            if pause_seconds is None:
                return None
            pause(pause_seconds)

    def close(self) -> None:
        """Close the connections that are kept; the client may still be used."""
        self._session.close()

    def _fetch(self, name: str, *, min_valid: float, wait: float) -> Token:
        patience = Patience(name, min_valid_seconds=min_valid, wait_seconds=wait)
        while True:
            target, timeout_seconds = patience.next_request()
            try:
                return self._ask(target, timeout_seconds)
            except PASSING as error:
                pause(patience.pause_after(error))

    def _ask(self, target: str, timeout_seconds: float) -> Token:
        answer = self._session.exchange("GET", target, timeout_seconds=timeout_seconds)
        token = parse(content(answer))
        self._cache.hold(token)
        return token
