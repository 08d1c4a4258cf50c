"""`token-broker renew`: ask the daemon to mint a successor now.

Owns: waiting for the new revision. Refuses to know: the token itself.
"""

import os
from time import monotonic

from broker.cli import addresses
from broker.cli.options import Arguments, Command, Duration
from broker.client import routes
from broker.client.errors import TryAgainLater, from_problem
from broker.client.fetch import ANSWER_SECONDS
from broker.client.message import ACCEPTED, OK
from broker.client.pause import pause
from broker.client.roster import roster
from broker.client.wire import exchange

_WAIT = Duration("--wait", "wait at most this long until it is done", default="0s")
_POLL_SECONDS = 0.5

COMMAND = Command(
    "renew",
    "mint a new token now; the current one stays valid until it expires",
    options=(_WAIT, addresses.SOCKET),
    operand="NAME",
    operand_summary="the managed token's name",
    least=1,
    most=1,
    example="token-broker renew deploy --wait 10s",
)


def run(arguments: Arguments) -> int:
    """Ask for a mint. Raises TokenClientError; TryAgainLater if it is not done in time."""
    path, name = addresses.socket(arguments), arguments.operands[0]
    wait_seconds = _WAIT.read(arguments)
    deadline = monotonic() + wait_seconds
    target = routes.renewal(name, wait_seconds=wait_seconds)
    # Who waits longer than one request may needs to know the revision from before it.
    before = _revision(path, name) if wait_seconds > routes.MAX_WAIT_SECONDS else None
    asked_seconds = min(wait_seconds, routes.MAX_WAIT_SECONDS)
    answer = exchange(path, "POST", target, timeout_seconds=asked_seconds + ANSWER_SECONDS)
    if answer.status not in (OK, ACCEPTED):
        raise from_problem(answer.status, answer.body)
    if not wait_seconds:
        print(f"{name}: renewal asked for")
        return os.EX_OK
    if answer.status == OK or (before is not None and _renewed(path, name, before, deadline)):
        print(f"{name}: renewed")
        return os.EX_OK
    raise TryAgainLater(
        f"{name} was not renewed within {wait_seconds:g} s",
        code="renewing",
        fix=f"the request is kept; token-broker status {name} says what is in the way",
    )


def _renewed(path: str, name: str, before: int, deadline: float) -> bool:
    while monotonic() < deadline:
        if _revision(path, name) > before:
            return True
        pause(_POLL_SECONDS)
    return False


def _revision(path: str, name: str) -> int:
    revisions = (record.get("revision") for record in roster(path) if record.get("name") == name)
    return next((revision for revision in revisions if isinstance(revision, int)), 0)
