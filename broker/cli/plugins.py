"""`token-broker plugins`: what is installed, and which distribution it comes from.

Owns: the table. Refuses to know: what plug-ins do. Each descriptor is imported to ask for its capabilities; a broken
one is listed with the reason.
"""

import contextlib
import dataclasses
import json
import os
import sys

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

    with contextlib.redirect_stdout(
        sys.stderr
    ):  # a module that prints when it is imported does not spoil the list
        plugins = Plugins().describe()
    if _JSON.read(arguments):
        print(json.dumps([dataclasses.asdict(plugin) for plugin in plugins]))
        return os.EX_OK
    rows = [
        ("KIND", "NAME", "DISTRIBUTION", "VERSION", "ORIGIN", "CAPABILITIES"),
        *(
            (
                plugin.kind,
                plugin.name,
                plugin.distribution,
                plugin.version,
                plugin.origin,
                f"unusable: {plugin.problem}" if plugin.problem else ", ".join(plugin.capabilities) or "-",
            )
            for plugin in plugins
        ),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return os.EX_OK
