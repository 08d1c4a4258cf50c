"""Reporting that an API refused a token.

Owns: the report's bytes, the reading of its answer, the pace of waiting for the successor. Refuses to know:
sockets, and what an API is.
"""

import json
from time import monotonic

from broker.client.errors import UnexpectedAnswer, from_problem
from broker.client.message import ACCEPTED, OK, Answer

OUTCOMES = ("started", "not_current", "too_old")
"""A mint was started; another token is current already, or this one was reported before; the request was made before
this token was issued."""

_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 0.5


def report(fingerprint: str, requested_at: float | None) -> bytes:
    """The body of the request.

    Whole seconds, rounded up: the token was there when the request was made, and a time rounded down could say
    that it was not.
    """
    members: dict[str, object] = {"fingerprint": fingerprint}
    if requested_at is not None:
        members["requested_at"] = -int(-requested_at // 1)
    return json.dumps(members, separators=(",", ":")).encode()


def outcome(answer: Answer) -> str:
    """One of OUTCOMES. Raises TokenClientError: TryAgainLater for more reports than are heard."""
    if answer.status == ACCEPTED:
        return "started"
    if answer.status != OK:
        raise from_problem(answer.status, answer.body)
    try:
        said = json.loads(answer.body)["outcome"]
    except (ValueError, KeyError, TypeError, RecursionError):
        said = None
    if said not in OUTCOMES:
        raise UnexpectedAnswer("the broker's answer does not say what came of the report", code="protocol")
    return str(said)


class Pace:
    """Pauses between looks for a successor: short at first, for a mint takes some tenths of a second."""

    def __init__(self, wait_seconds: float) -> None:
        self._deadline = monotonic() + wait_seconds
        self._pause_seconds = _FIRST_PAUSE_SECONDS

    def pause(self) -> float | None:
        """Seconds until the next look; None once the time is over."""
        left = self._deadline - monotonic()
        if left <= 0:
            return None
        pause_seconds = min(left, self._pause_seconds)
        self._pause_seconds = min(self._pause_seconds * 2, _LONGEST_PAUSE_SECONDS)
        return pause_seconds
