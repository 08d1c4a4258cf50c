"""The fixtures of the daemon tests."""

from tests.daemon.conftest import daemon, manager, server

__all__ = ["daemon", "manager", "server"]
