"""`token-broker wait`: until tokens are usable; for scripts and probes.

Owns: patience with what an operator may still put right. Refuses to know: the tokens, which it asks for and
drops.
"""

import os
from time import monotonic

from broker.cli import addresses
from broker.cli.options import Arguments, Command, Duration
from broker.cli.streams import complain
from broker.client.errors import BrokerUnreachable, TokenClientError, TokenUnavailable, TryAgainLater
from broker.client.fetch import fetch

_TIMEOUT = Duration("--timeout", "give up after this long", default="60s")

COMMAND = Command(
    "wait",
    "until tokens are usable",
    options=(_TIMEOUT, addresses.SOCKET),
    operand="NAME",
    operand_summary="a managed token's name; all named must be usable",
    least=1,
    most=None,
    example="token-broker wait deploy registry --timeout 2m && ./deploy.sh",
)


def run(arguments: Arguments) -> int:
    """0 once all are usable, 75 if the time is over first. Raises AccessDenied at once."""
    path = addresses.socket(arguments)
    timeout_seconds = _TIMEOUT.read(arguments)
    deadline = monotonic() + timeout_seconds
    # All are asked for once without waiting, so that a mistyped name is told before the first long wait.
    missing = [name for name in arguments.operands if _why_unusable(path, name, wait_seconds=0.0)]
    for name in missing:
        reason = _why_unusable(path, name, wait_seconds=max(0.0, deadline - monotonic()))
        if reason:
            complain(f"token-broker: {name} is not usable after {timeout_seconds:g} s: {reason}")
            return os.EX_TEMPFAIL
    return os.EX_OK


def _why_unusable(path: str, name: str, *, wait_seconds: float) -> TokenClientError | None:
    try:
        fetch(path, name, accept="text/plain", wait_seconds=wait_seconds)
    except (BrokerUnreachable, TryAgainLater, TokenUnavailable) as error:
        return error
    return None
