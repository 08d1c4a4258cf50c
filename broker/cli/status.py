"""`token-broker status`: every managed token that the caller may read, for people or as JSON.

Owns: which records, and in which form. Refuses to know: how a table looks (`life_table`), how changes are
followed (`status_watch`).
"""

import os
import sys
from time import time

from broker.cli import addresses
from broker.cli.options import Arguments, Command, Flag
from broker.cli.streams import put
from broker.client.errors import AccessDenied
from broker.client.roster import roster

_JSON = Flag("--json", "print the records as the socket gives them")
_WATCH = Flag("--watch", "go on, and show each change; with --json a line for each record")

COMMAND = Command(
    "status",
    "every managed token: state, condition, remaining life, next renewal",
    options=(_WATCH, _JSON, addresses.SOCKET),
    operand="NAME",
    operand_summary="only this token",
    most=1,
    example="token-broker status --watch\ntoken-broker status deploy --json",
)


def run(arguments: Arguments) -> int:
    """Print the records. Raises TokenClientError."""
    path, name = addresses.socket(arguments), next(iter(arguments.operands), None)
    if _WATCH.read(arguments) and name is None:
        return _watch(path, name, as_json=_JSON.read(arguments))
    records = roster(path)
    if name is not None:
        records = [record for record in records if record.get("name") == name]
        if not records:
            raise AccessDenied(
                f"there is no token {name!r} that this user may read",
                code="denied",
                fix=f"token-broker status lists those there are; tokens.{name}.allow says who may read it",
            )
    if _WATCH.read(arguments):
        return _watch(path, name, as_json=_JSON.read(arguments))
    if _JSON.read(arguments):
        import json

        put(json.dumps({"tokens": records}, separators=(",", ":")).encode() + b"\n")
        return os.EX_OK

    from broker.cli.life_table import life_table, style_for

    style = style_for(sys.stdout, os.environ)
    put(life_table(records, now=time(), style=style).encode(sys.stdout.encoding, "replace"))
    return os.EX_OK


def _watch(path: str, name: str | None, *, as_json: bool) -> int:
    from broker.cli.status_watch import follow

    return follow(path, name, as_json=as_json)
