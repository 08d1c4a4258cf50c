"""The development authorization server with the customer's client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.daemon.running import Daemon, local_tables, store
from tests.daemon.service_manager import ServiceManager


@pytest.fixture
def server() -> Iterator[DevelopmentAuthorizationServer]:
    """Tokens and secrets of this server carry the canary."""
    with DevelopmentAuthorizationServer(marker="S3CR3T-", token_format="jwt") as running:
        yield running


@pytest.fixture
def daemon(tmp_path: Path, server: DevelopmentAuthorizationServer) -> Iterator[Daemon]:
    """A daemon that is not started yet, with the managed token `deploy` of 12 hours."""
    secret = server.register("deploy", lifetime_seconds=43_200, scope=("a", "b"))
    store(tmp_path, secret.reveal())
    prepared = Daemon(tmp_path, local_tables(server, tmp_path))
    yield prepared
    prepared.__exit__()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ServiceManager]:
    """What systemd would be."""
    listening = ServiceManager(tmp_path / "notify")
    yield listening
    listening.close()
