"""How long a peer may take, by the clock on the wall (R-136), and who comes in while a daemon starts (R-129)."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

import pytest

from tests.daemon.running import Daemon
from tests.scale import scaled
from tests.server.running import Client, request
from tests.socket_abuse.conftest import Tell
from tests.socket_abuse.users import CROWD_UID, clients
from tests.waiting import eventually

pytestmark = [pytest.mark.sockets, pytest.mark.soak]

GET = request("/v1/tokens/deploy")
HEAD_SECONDS, SENDING_SECONDS, IDLE_SECONDS = 2.0, 5.0, 30.0
SWEEP_SECONDS = 0.5
SLACK_SECONDS = 10.0
"""For a machine that stops for a while; the next longer patience is longer still."""


def gone(client: Client) -> bool:
    """Whether the other end has hung up, seen without reading what it sent."""
    poll = select.poll()
    poll.register(client.socket, 0)
    return any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0))


def nothing(client: Client) -> None:
    """Sent no more."""


def one_byte(client: Client) -> None:
    """Sent now and then, which does not count."""
    with suppress(OSError):  # it has just ended
        client.send(b"x")


def start_of_a_head(client: Client) -> None:
    """And no more by itself."""
    client.send(GET[:30])


def start_of_a_body(client: Client) -> None:
    """After a head that is whole."""
    head = "POST /v1/tokens/deploy/reject HTTP/1.1\r\nHost: a\r\nContent-Length: 4000\r\n\r\n"
    client.send(head.encode() + b"{")


def more_than_it_reads(client: Client) -> None:
    """Requests until neither side's buffer takes any more."""
    client.socket.settimeout(0)
    with suppress(BlockingIOError):
        while True:
            client.socket.send(GET * 100)


def one_request(client: Client) -> None:
    """Asked and answered."""
    client.send(GET)
    assert 200 == client.receive().status


@pytest.mark.parametrize(
    ("begin", "go_on", "seconds"),
    [
        pytest.param(start_of_a_head, nothing, HEAD_SECONDS, id="half a head"),
        pytest.param(start_of_a_head, one_byte, HEAD_SECONDS, id="a head, byte by byte"),
        pytest.param(start_of_a_body, one_byte, HEAD_SECONDS, id="a body, byte by byte"),
        pytest.param(more_than_it_reads, nothing, SENDING_SECONDS, id="never reads"),
        *([pytest.param(one_request, nothing, IDLE_SECONDS, id="idle")] if scaled(short=0, whole=1) else []),
    ],
)
def test_patience_ends(
    daemon: Daemon, begin: Callable[[Client], None], go_on: Callable[[Client], None], seconds: float
) -> None:
    """Each way to be slow ends when the time for it is over, not before, whatever trickles in."""
    with Client(daemon.socket) as client, Client(daemon.socket) as other:
        began = time.monotonic()
        begin(client)

        def ended() -> bool:
            one_request(other)  # who goes on asking is not concerned
            go_on(client)
            return gone(client)

        eventually(ended, what="the connection ends", timeout=seconds + SWEEP_SECONDS + SLACK_SECONDS)
        assert time.monotonic() - began > seconds - 0.1


def test_nobody_comes_in_while_the_daemon_starts(prepared: Daemon, tell: Tell) -> None:
    """R-129: a user who may not open the socket tries all the time, under every name, over several starts."""
    prepared.directory.chmod(0o755)
    prepared.config.write_text(prepared.config.read_text().replace('mode = "0666"', 'mode = "0600"'))
    with clients("tries", prepared.socket, uid=CROWD_UID, count=1) as attacker:
        for _ in range(scaled(short=5, whole=50)):
            with ExitStack() as stack:
                stack.enter_context(prepared)
                prepared.wait_for(state="fresh")
                prepared.stop()
        found = attacker.ended()
    assert [] == found["opened"]
    assert found["attempts"] > 1000
    tell(f"{found['attempts']} attempts to connect during starts: none came in")
