"""A daemon whose socket every user can reach, and one may read from."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.daemon.running import Daemon, local_tables, store
from tests.server.running import needs_root
from tests.socket_abuse.users import READER

Tell = Callable[[str], None]


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a short path that every user may search."""
    needs_root()
    with tempfile.TemporaryDirectory(prefix="tb-") as name:
        directory = Path(name)
        directory.chmod(0o711)
        yield directory


@pytest.fixture
def server() -> Iterator[DevelopmentAuthorizationServer]:
    """Where tokens are minted, and each mint is written down."""
    with DevelopmentAuthorizationServer(marker="S3CR3T-", token_format="jwt") as running:
        yield running


@pytest.fixture
def prepared(place: Path, server: DevelopmentAuthorizationServer) -> Daemon:
    """Not started yet; the socket is open to all, the token to one user and to one unit."""
    store(place, server.register("deploy", lifetime_seconds=3600).reveal())
    daemon = Daemon(
        place,
        local_tables(server, place)
        + f"""
[socket]
path = "{place}/s"
mode = "0666"

[tokens.deploy.allow]
users = ["{READER}"]
units = ["reader.service"]
""",
    )
    daemon.socket = place / "s"
    return daemon


@pytest.fixture
def daemon(prepared: Daemon) -> Iterator[Daemon]:
    """Running, its token minted."""
    with prepared as running:
        running.wait_for(state="fresh")
        yield running


@pytest.fixture
def tell(capfd: pytest.CaptureFixture[str]) -> Tell:
    """Prints a figure for whoever reads the output; nothing is asserted about it."""

    def line(text: str) -> None:
        with capfd.disabled():
            sys.stdout.write(f"\n{text}\n")

    return line
