"""`token-broker get`: one token on standard output, in the form that its reader needs.

Owns: the forms (docs/interface.md 7, "Bytes") and the refusal to show a token on a terminal. Runs at every
request of a shell script, so it asks for the bare token and parses nothing.
"""

import sys

from broker.cli import addresses
from broker.cli.options import Arguments, Choice, Command, Duration, Flag, UsageError
from broker.cli.streams import put
from broker.client.errors import UnexpectedAnswer
from broker.client.fetch import fetch

_FORMAT = Choice("--format", "FORMAT", "how to print it", ("raw", "json", "header", "env", "curl"))
_MIN_VALID = Duration("--min-valid", "valid for at least this long, else renewed first", default="0s")
_WAIT = Duration("--wait", "wait at most this long for such a token", default="0s")
_SHOW = Flag("--show", "print it even to a terminal")

COMMAND = Command(
    "get",
    "read one token over the socket",
    options=(_FORMAT, _MIN_VALID, _WAIT, _SHOW, addresses.SOCKET),
    operand="NAME",
    operand_summary="the managed token's name",
    least=1,
    most=1,
    example="token-broker get deploy --format curl | curl --config - https://api.example/deployments",
)

_TOKEN_CHARACTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/="


def run(arguments: Arguments) -> int:
    """Print the token. Raises UsageError at a terminal, TokenClientError if there is no token."""
    if sys.stdout is not None and sys.stdout.isatty() and not _SHOW.read(arguments):
        raise UsageError(
            "standard output is a terminal, and a token is a secret; --show prints it all the same"
        )
    form = _FORMAT.read(arguments)
    answer = fetch(
        addresses.socket(arguments),
        arguments.operands[0],
        accept="application/json" if form == "json" else "text/plain",
        min_valid_seconds=_MIN_VALID.read(arguments),
        wait_seconds=_WAIT.read(arguments),
    )
    put(_document(answer) if form == "json" else _line(answer, form))
    return 0


def _line(token: bytes, form: str) -> bytes:
    """The token in one of the forms that need nothing but the token."""
    # RFC 6750 2.1. Anything else could mean something in a header, an environment file, a curl configuration.
    if not token or token.translate(None, _TOKEN_CHARACTERS):
        raise UnexpectedAnswer("the broker's answer is not a bearer token", code="protocol")
    if form == "header":
        return b"Authorization: Bearer " + token + b"\n"
    if form == "env":
        return b"ACCESS_TOKEN=" + token + b"\n"
    if form == "curl":
        return b'header = "Authorization: Bearer ' + token + b'"\n'
    return token


def _document(answer: bytes) -> bytes:
    """The answer without what is only true at this moment, as in a token file of format json."""
    import json

    try:
        document = json.loads(answer)
        document.pop("expires_in", None)
        document.pop("state", None)
    except (ValueError, AttributeError, RecursionError):
        raise UnexpectedAnswer("the broker's answer is not a JSON object", code="protocol") from None
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"
