"""Where verbs find the daemon and its configuration.

Owns: `--socket` and `--config` with their defaults. Refuses to know: what is there.
"""

import os

from broker.cli.options import Arguments, Text
from broker.client.wire import socket_path

SOCKET = Text("--socket", "PATH", "the broker's socket (default $TOKEN_BROKER_SOCKET, else below /run)")
CONFIG = Text("--config", "PATH", "the configuration (default $TOKEN_BROKER_CONFIG, else below /etc)")

DEFAULT_CONFIGS = ("/etc/token-broker/config.toml", "/etc/token-broker/config.yaml")


def socket(arguments: Arguments) -> str:
    """The path of the daemon's socket. Raises RequestInvalid for one that cannot be."""
    return socket_path(SOCKET.read(arguments))


def config(arguments: Arguments) -> str:
    """The path of the configuration; of the default ones the first that exists, or the first."""
    named = CONFIG.read(arguments) or os.environ.get("TOKEN_BROKER_CONFIG")
    if named:
        return named
    return next((path for path in DEFAULT_CONFIGS if os.path.exists(path)), DEFAULT_CONFIGS[0])  # noqa: PTH110 - client verbs import this too, and pathlib is slow to load
