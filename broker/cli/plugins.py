"""`token-broker plugins`: what is installed, and which distribution it comes from.

Owns: the table. Refuses to know: what plug-ins do; none is imported, so a broken one is listed like any
other.
"""

import json
import os

from broker.cli.options import Arguments, Command, Flag

_JSON = Flag("--json", "print a list of objects")

COMMAND = Command(
    "plugins",
    "installed secret backends, sinks and client authentication methods, with their origin",
    options=(_JSON,),
    example="token-broker plugins --json",
)


def run(arguments: Arguments) -> int:
    """Print the installed plug-ins."""
    from broker.plugins import Plugins

    plugins = [
        {
            "kind": plugin.kind,
            "name": plugin.name,
            "distribution": plugin.distribution,
            "version": plugin.version,
            "origin": plugin.origin,
        }
        for plugin in Plugins().describe()
    ]
    if _JSON.read(arguments):
        print(json.dumps(plugins))
        return os.EX_OK
    rows = [
        ("KIND", "NAME", "DISTRIBUTION", "VERSION", "ORIGIN"),
        *(tuple(plugin.values()) for plugin in plugins),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return os.EX_OK
