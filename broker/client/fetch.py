"""Reading one token with patience.

Owns: how long and how often to ask, for programs, asynchronous ones and the command line alike. Refuses to
know: what the answer looks like; it is handed over as bytes.
"""

from time import monotonic

from broker.client import routes
from broker.client.errors import (
    BrokerUnreachable,
    TokenClientError,
    TokenUnavailable,
    TryAgainLater,
    from_problem,
)
from broker.client.message import OK, Answer
from broker.client.pause import pause
from broker.client.wire import exchange

ANSWER_SECONDS = 5.0
"""What the broker may take to answer on top of the wait it was asked for; it answers from memory."""

PASSING = (BrokerUnreachable, TryAgainLater, TokenUnavailable)
"""Errors that time, or an operator, may put right; the others end a wait at once."""

_SHORTEST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 2.0


class Patience:
    """The rest of one caller's time, spent on requests that each wait as long as one request may."""

    def __init__(self, name: str, *, min_valid_seconds: float, wait_seconds: float) -> None:
        self._name = name
        self._min_valid_seconds = min_valid_seconds
        self._deadline = monotonic() + wait_seconds

    def next_request(self) -> tuple[str, float]:
        """The target to ask, and the seconds that its answer may take. Raises RequestInvalid."""
        wait_seconds = min(max(0.0, self._deadline - monotonic()), routes.MAX_WAIT_SECONDS)
        target = routes.token(
            self._name, min_valid_seconds=self._min_valid_seconds, wait_seconds=wait_seconds
        )
        return target, wait_seconds + ANSWER_SECONDS

    def pause_after(self, error: TokenClientError) -> float:
        """Seconds until the next request; raises `error` once the time is over.

        A broker that could not wait for us says when to come back; one that is not there may come any time.
        """
        left = self._deadline - monotonic()
        if left <= 0:
            raise error
        pause_seconds = max(error.retry_after or 0.0, _SHORTEST_PAUSE_SECONDS)
        return min(left, pause_seconds, _LONGEST_PAUSE_SECONDS)


def fetch(
    socket_path: str, name: str, *, accept: str, min_valid_seconds: float = 0.0, wait_seconds: float = 0.0
) -> bytes:
    """The token `name`, valid for at least `min_valid_seconds`, as an answer in the media type `accept`.

    Asks again until `wait_seconds` are over, also while no broker listens: at boot it may be about to. Raises
    the last TokenClientError then, and AccessDenied, RequestInvalid and UnexpectedAnswer at once.
    """
    patience = Patience(name, min_valid_seconds=min_valid_seconds, wait_seconds=wait_seconds)
    while True:
        target, timeout_seconds = patience.next_request()
        try:
            return content(
                exchange(socket_path, "GET", target, accept=accept, timeout_seconds=timeout_seconds)
            )
        except PASSING as error:
            pause(patience.pause_after(error))


def content(answer: Answer) -> bytes:
    """The body of a good answer. Raises TokenClientError for a problem."""
    if answer.status != OK:
        raise from_problem(answer.status, answer.body)
    return answer.body
