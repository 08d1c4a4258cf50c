"""The authorization server of the daemon tests."""

from tests.daemon.conftest import server

__all__ = ["server"]
