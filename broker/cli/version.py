"""`token-broker version`: which release this is, and what it runs on.

Owns: these facts. Refuses to know: the daemon, which may be another build.
"""

import json
import os
import platform

from broker import __version__
from broker.cli.options import Arguments, Command, Flag

_JSON = Flag("--json", "print an object")

COMMAND = Command("version", "version and build", options=(_JSON,), example="token-broker version --json")


def run(arguments: Arguments) -> int:
    """Print the version."""
    facts = {
        "name": "token-broker",
        "version": __version__,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.system(),
        "machine": platform.machine(),
    }
    if _JSON.read(arguments):
        print(json.dumps(facts))
    else:
        print("{name} {version} ({implementation} {python}, {system} {machine})".format(**facts))
    return os.EX_OK
