"""`token-broker run`: the daemon.

Owns: nothing but the verb; `broker.app` is the daemon.
"""

from pathlib import Path

from broker.cli import addresses
from broker.cli.options import Arguments, Command

COMMAND = Command(
    "run",
    "the daemon, in the foreground; SIGHUP reloads, SIGTERM ends it",
    options=(addresses.CONFIG,),
    example="token-broker run --config /etc/token-broker/config.toml",
)


def run(arguments: Arguments) -> int:
    """Run until told to stop; the daemon's exit code."""
    from broker.app import run as run_daemon

    return run_daemon(Path(addresses.config(arguments)))
