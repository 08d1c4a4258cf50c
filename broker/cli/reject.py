"""`token-broker reject`: report that an API answered 401 to the current token.

Owns: what is reported where nothing is said: the token that is current now. Refuses to know: the API.
"""

import os
from time import time

from broker.cli import addresses
from broker.cli.options import Arguments, Command, Text, UsageError
from broker.client import rejection, routes
from broker.client.fetch import ANSWER_SECONDS, fetch
from broker.client.token import parse
from broker.client.wire import exchange

_FINGERPRINT_DIGITS = 16

_FINGERPRINT = Text(
    "--fingerprint",
    "F",
    "of the refused token: the first 16 hex digits of its SHA-256 (default: the current)",
)
_REQUESTED_AT = Text(
    "--requested-at", "T", "when the refused request was made, in Unix seconds (default: now)"
)

COMMAND = Command(
    "reject",
    "report that an API refused the current token, so that a new one is minted before its time",
    options=(_FINGERPRINT, _REQUESTED_AT, addresses.SOCKET),
    operand="NAME",
    operand_summary="the managed token's name",
    least=1,
    most=1,
    example="token-broker reject deploy",
)

_SPOKEN = {
    "started": "a new token is being minted",
    "not_current": "not the current token, or reported before; nothing to do",
    "too_old": "the request is older than the current token; nothing to do",
}


def run(arguments: Arguments) -> int:
    """Report. Raises TokenClientError; UsageError for what cannot be a fingerprint or a time."""
    path, name = addresses.socket(arguments), arguments.operands[0]
    fingerprint = _FINGERPRINT.read(arguments)
    if fingerprint is not None:
        fingerprint = fingerprint.lower()
        if len(fingerprint) != _FINGERPRINT_DIGITS or fingerprint.strip("0123456789abcdef"):
            raise UsageError(f"--fingerprint: not {_FINGERPRINT_DIGITS} hexadecimal digits")
    requested_at = _requested_at(arguments)
    target = routes.rejection(name)
    if fingerprint is None:
        fingerprint = parse(fetch(path, name, accept="application/json")).fingerprint
    body = rejection.report(fingerprint, requested_at)
    outcome = rejection.outcome(exchange(path, "POST", target, timeout_seconds=ANSWER_SECONDS, body=body))
    print(f"{name}: {_SPOKEN[outcome]}")
    return os.EX_OK


def _requested_at(arguments: Arguments) -> float:
    text = _REQUESTED_AT.read(arguments)
    if text is None:
        return time()
    whole, point, fraction = text.partition(".")
    digits = whole + fraction
    if not (whole and digits.isascii() and digits.isdigit()) or (point and not fraction):
        raise UsageError(f"--requested-at: {text!r} is not a time in Unix seconds, as date +%s prints it")
    return float(text)
