"""The development authorization server, for daemons that use a plug-in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.canary import MARKER


@pytest.fixture
def server() -> Iterator[DevelopmentAuthorizationServer]:
    """Tokens and secrets of this server carry the canary."""
    with DevelopmentAuthorizationServer(marker=MARKER, token_format="jwt") as running:
        yield running
