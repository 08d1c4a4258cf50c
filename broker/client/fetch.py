"""Reading one token with patience.

Owns: how long and how often to ask, for `TokenClient` and for the command line alike. Refuses to know: what
the answer looks like; it is handed over as bytes.
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
from broker.client.pause import pause
from broker.client.wire import OK, exchange

ANSWER_SECONDS = 5.0
"""What the broker may take to answer on top of the wait it was asked for; it answers from memory."""

_SHORTEST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 2.0


def fetch(
    socket_path: str, name: str, *, accept: str, min_valid_seconds: float = 0.0, wait_seconds: float = 0.0
) -> bytes:
    """The token `name`, valid for at least `min_valid_seconds`, as an answer in the media type `accept`.

    Asks again until `wait_seconds` are over, also while no broker listens: at boot it may be about to. Raises
    the last TokenClientError then, and AccessDenied, RequestInvalid and UnexpectedAnswer at once.
    """
    deadline = monotonic() + wait_seconds
    while True:
        left = max(0.0, deadline - monotonic())
        try:
            return _ask(socket_path, name, accept, min_valid_seconds, min(left, routes.MAX_WAIT_SECONDS))
        except (BrokerUnreachable, TryAgainLater, TokenUnavailable) as error:
            left = deadline - monotonic()
            if left <= 0:
                raise
            pause(min(left, _until_next_try(error)))


def _ask(socket_path: str, name: str, accept: str, min_valid_seconds: float, wait_seconds: float) -> bytes:
    target = routes.token(name, min_valid_seconds=min_valid_seconds, wait_seconds=wait_seconds)
    answer = exchange(
        socket_path, "GET", target, accept=accept, timeout_seconds=wait_seconds + ANSWER_SECONDS
    )
    if answer.status != OK:
        raise from_problem(answer.status, answer.body)
    return answer.body


def _until_next_try(error: TokenClientError) -> float:
    """A broker that could not wait for us says when to come back; one that is not there may come any time."""
    return min(max(error.retry_after or 0.0, _SHORTEST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS)
