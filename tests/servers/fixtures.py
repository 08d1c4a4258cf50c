"""pytest plugin: the servers that every part of the suite may use, one of each per worker process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.moto import Moto, running_moto
from tests.servers.openbao import OpenBao, running_openbao


@pytest.fixture(scope="session")
def openbao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """OpenBao over plain http. Shared: a test uses paths and roles of its own."""
    with running_openbao(tmp_path_factory.mktemp("openbao")) as server:
        yield server


@pytest.fixture(scope="session")
def openbao_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """A second OpenBao that speaks TLS with a certificate of its own authority, ``openbao_tls.ca_file``."""
    with running_openbao(tmp_path_factory.mktemp("openbao-tls"), tls=True) as server:
        yield server


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    """Secrets Manager. Shared: a test uses secret names of its own, or calls ``moto.reset()`` first."""
    with running_moto(tmp_path_factory.mktemp("moto")) as server:
        yield server
