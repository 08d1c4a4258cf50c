"""The Keycloak of this directory: one server for the session, prepared once per machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.keycloak import Keycloak, running_keycloak


@pytest.fixture(scope="session")
def keycloak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keycloak]:
    """A realm like the customer's. Shared: a test makes a client of its own with ``create_client``."""
    with running_keycloak(tmp_path_factory.mktemp("keycloak")) as server:
        yield server
