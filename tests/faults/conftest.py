"""The fixtures of the daemon tests."""

from tests.daemon.conftest import daemon, server

__all__ = ["daemon", "server"]
