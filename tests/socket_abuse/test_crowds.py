"""One user misbehaves with a thousand connections; another one, and the broker's own work, do not notice (F-37)."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.daemon.running import Daemon
from tests.scale import scaled
from tests.server.running import Answer, Client
from tests.socket_abuse.conftest import Tell
from tests.socket_abuse.users import CROWD_UID, READER_UID, asking, clients, descriptors
from tests.waiting import eventually

pytestmark = [pytest.mark.sockets, pytest.mark.soak]

CROWD = 1000
PER_UID = 128
IN_TOTAL = 512
OWN = 16
"""Descriptors that mints, files and log lines may take for a moment."""


@pytest.mark.parametrize("kind", ["slow", "deaf", "hands_over"])
def test_others_are_served(daemon: Daemon, tell: Tell, kind: str) -> None:
    """R-136, R-141: each request of another user is answered, a mint is published, no descriptor stays behind."""
    published = daemon.directory / "run" / "tokens" / "deploy"
    first = eventually(published.read_text, what="the first file", retry_on=(OSError,))
    quiet = asking(daemon.socket, 200)
    count = scaled(short=500, whole=20_000)
    before = len(descriptors(daemon))
    with clients(kind, daemon.socket, uid=CROWD_UID, count=CROWD) as crowd:
        # Not quite: some of those before were about to be closed.
        eventually(lambda: len(descriptors(daemon)) >= before + PER_UID - OWN, what="the crowd is there")
        with clients("asks", daemon.socket, uid=READER_UID, count=count) as reader:
            status, record = daemon.ask("/v1/tokens/deploy/renew?wait=20s", "POST")
            assert (200, 2) == (status, record["revision"])
            assert eventually(lambda: published.read_text() != first, what="the second file")
            assert len(descriptors(daemon)) <= before + PER_UID + OWN
            seen = reader.ended()
        opened = crowd.ended()["opened"]
    assert {"200": count} == seen["statuses"]
    eventually(lambda: len(descriptors(daemon)) <= before + OWN, what="all are closed again")
    tell(
        f"{CROWD} connections, {kind} ({opened} opened): another user's p99 {seen['p99_ms']:.1f} ms, "
        f"most {seen['most_ms']:.1f} ms; quiet p99 {quiet['p99_ms']:.1f} ms (promised: p99 below 50 ms)"
    )


def test_many_users_share_a_total(daemon: Daemon) -> None:
    """R-136: users who each keep to their own limit fill the total, and are told 429; it empties with them."""
    before = len(descriptors(daemon))
    with ExitStack() as stack:
        for uid in range(CROWD_UID, CROWD_UID + IN_TOTAL // PER_UID + 1):
            stack.enter_context(clients("idles", daemon.socket, uid=uid, count=PER_UID))
        eventually(lambda: len(descriptors(daemon)) >= before + IN_TOTAL - OWN, what="the total is reached")
        answer = eventually(
            lambda: turned_away(daemon), what="one more is turned away", retry_on=(TimeoutError,)
        )
        assert (429, "rate_limited", "1") == (
            answer.status,
            answer.json["code"],
            answer.headers["retry-after"],
        )
        assert len(descriptors(daemon)) <= before + IN_TOTAL + OWN
    eventually(lambda: len(descriptors(daemon)) <= before + OWN, what="they are gone")
    assert {"200": 20} == asking(daemon.socket, 20)["statuses"]


def turned_away(daemon: Daemon) -> Answer:
    """What is said at the door. TimeoutError if there was room."""
    with Client(daemon.socket) as late:
        late.socket.settimeout(0.5)
        return late.receive()
