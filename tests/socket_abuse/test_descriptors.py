"""The daemon runs out of descriptors (F-38): the limit is lowered while it runs."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from broker.server.descriptors import RESERVED
from tests.daemon.running import Daemon
from tests.scale import scaled
from tests.server.running import Client, request
from tests.socket_abuse.conftest import Tell
from tests.socket_abuse.users import CROWD_UID, READER_UID, clients, cpu_seconds, descriptors
from tests.waiting import eventually

pytestmark = [pytest.mark.sockets, pytest.mark.soak]

GET = request("/v1/tokens/deploy")
NONE = 4
"""A limit that lets nothing be opened: the numbers below are in use for good."""


@contextmanager
def limited(daemon: Daemon, limit: int) -> Iterator[None]:
    """No descriptor of this number or above may be made."""
    before = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (limit, before[1]))
    try:
        yield
    finally:
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, before)


def test_no_busy_loop(daemon: Daemon, tell: Tell) -> None:
    """R-137: clients wait in the queue, the daemon sleeps, says so once, and serves them when it can."""
    seconds = scaled(short=3, whole=60)
    status, _ = daemon.ask("/v1/status")
    assert 200 == status
    with ExitStack() as stack:
        with limited(daemon, NONE):
            waiting = [stack.enter_context(Client(daemon.socket)) for _ in range(20)]
            for client in waiting:
                client.send(GET)
            eventually(lambda: warnings(daemon, "cannot accept"), what="a warning")
            began, used = time.monotonic(), cpu_seconds(daemon)
            eventually(
                lambda: time.monotonic() - began >= seconds, what="a while has passed", timeout=seconds + 5
            )
            share = (cpu_seconds(daemon) - used) / (time.monotonic() - began)
        assert {200} == {client.receive().status for client in waiting}
    assert 1 == len(warnings(daemon, "cannot accept"))
    # A loop that spins uses all of a core.
    assert share < 0.5
    tell(f"out of descriptors with 20 clients waiting: {share:.1%} of a core")


def warnings(daemon: Daemon, words: str) -> list[str]:
    """What operators were told."""
    return [line["message"] for line in daemon.lines("life_cycle") if words in line["message"]]


def test_the_reserve_is_for_mints_and_files(daemon: Daemon) -> None:
    """R-136: while another user's crowd and ours have all that clients may have, tokens are minted and published."""
    published = daemon.directory / "run" / "tokens" / "deploy"
    eventually(published.exists, what="the first file")
    with Client(daemon.socket) as early, limited(daemon, RESERVED + 48), ExitStack() as stack:
        assert 200 == early_status(early)
        for uid in (CROWD_UID, READER_UID):
            stack.enter_context(clients("slow", daemon.socket, uid=uid, count=500))
        eventually(lambda: warnings(daemon, "turned away"), what="a warning")
        for _ in range(scaled(short=3, whole=30)):
            before = published.read_text()
            assert renewed(early) in {200, 202, 429}
            eventually(lambda before=before: published.read_text() != before, what="another file")  # type: ignore[misc]  # bound at once
        assert highest(daemon) < RESERVED + 48


def early_status(client: Client) -> int:
    """Of a read."""
    client.send(GET)
    return client.receive().status


def renewed(client: Client) -> int:
    """Ask for a mint, as long as there is one to be had."""

    def asked() -> int:
        client.send(request("/v1/tokens/deploy/renew?wait=10s", "POST"))
        status = client.receive().status
        return status if status != 429 else 0

    return eventually(asked, what="a renewal is granted")


def highest(daemon: Daemon) -> int:
    """The largest number of a descriptor."""
    return max(descriptors(daemon))
