"""The reserve of descriptors at work: the daemon mints and publishes while clients have taken all they can."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from broker.server.descriptors import RESERVED
from tests.daemon.running import Daemon, local_tables, store
from tests.server.running import Client, request
from tests.waiting import eventually

LIMIT = RESERVED + 48
CROWD = 150


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon with one managed token, running."""
    with DevelopmentAuthorizationServer(marker="S3CR3T-", token_format="jwt") as server:
        store(tmp_path, server.register("deploy", lifetime_seconds=3600).reveal())
        with Daemon(tmp_path, local_tables(server, tmp_path)) as running:
            running.wait_for(state="fresh")
            yield running


def test_mints_and_files_go_on(daemon: Daemon, tmp_path: Path) -> None:
    """With every descriptor that clients may have taken, a mint reads its secret, connects and publishes (F-38)."""
    published = tmp_path / "run" / "tokens" / "deploy"
    first = eventually(published.read_text, what="the first file", retry_on=(OSError,))
    with Client(daemon.socket) as early, ExitStack() as stack:
        assert 200 == early.ask("/v1/tokens/deploy").status
        limits = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (LIMIT, limits[1]))
        crowd = [stack.enter_context(Client(daemon.socket)) for _ in range(CROWD)]
        assert b"HTTP/1.1 429 " == crowd[-1].socket.recv(13)  # the others are idle, or were told the same
        early.send(request("/v1/tokens/deploy/renew?wait=10s", "POST"))
        answer = early.receive()
        assert (200, 2) == (answer.status, answer.json["revision"])
        assert eventually(lambda: published.read_text() != first, what="the second file")

    def warnings() -> list[str]:
        return [line["message"] for line in daemon.lines("life_cycle") if "turned away" in line["message"]]

    assert 1 == len(eventually(warnings, what="a warning"))
