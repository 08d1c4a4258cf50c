"""`token-broker run`: the daemon.

Owns: nothing but the verb; `broker.app` is the daemon.
"""

import os
from pathlib import Path
from typing import NoReturn

from broker.cli import addresses
from broker.cli.options import Arguments, Command

COMMAND = Command(
    "run",
    "the daemon, in the foreground; SIGHUP reloads, SIGTERM ends it",
    options=(addresses.CONFIG,),
    example="token-broker run --config /etc/token-broker/config.toml",
)


def run(arguments: Arguments) -> NoReturn:
    """Run until told to stop. Does not return.

    Everything is closed by then, and an orderly end of the interpreter would wait for what still hangs in a
    thread of a C library, a name look-up for instance.
    """
    from broker.app import run as run_daemon

    os._exit(run_daemon(Path(addresses.config(arguments))))
