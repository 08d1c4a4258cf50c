"""Users who make noise: they hang up all the time, or report every token as refused."""

from __future__ import annotations

import json
import time
from collections import Counter

import pytest

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.daemon.running import Daemon
from tests.scale import scaled
from tests.server.running import Answer, Client
from tests.socket_abuse.conftest import Tell
from tests.socket_abuse.users import CROWD_UID, asking, clients, cpu_seconds, descriptors, resident_bytes
from tests.waiting import eventually

pytestmark = [pytest.mark.sockets, pytest.mark.soak]

MEBIBYTE = 1024 * 1024


def counted(daemon: Daemon) -> float:
    """Requests that were denied, and clients that were gone before they had read the answer."""
    denied = daemon.metric("socket_requests_total", route="get", code="403") or 0.0
    gone = daemon.metric("socket_requests_total", route="other", code="499") or 0.0
    return denied + gone


def test_clients_that_hang_up(daemon: Daemon, tell: Tell) -> None:
    """R-143: each abort is counted or answered; no line in the log, no memory, no descriptor is left of them."""
    aim = scaled(short=5_000, whole=100_000)
    assert {"200": 50} == asking(daemon.socket, 50)["statuses"]
    open_before, memory, used = len(descriptors(daemon)), resident_bytes(daemon), cpu_seconds(daemon)
    lines = len(daemon.records())
    opened = 0
    while opened < aim:
        with clients("aborts", daemon.socket, uid=CROWD_UID, count=200) as crowd:
            passed(scaled(short=2, whole=20))
            opened += crowd.ended()["opened"]
    eventually(lambda: len(descriptors(daemon)) <= open_before + 4, what="all are closed")
    eventually(lambda: counted(daemon) >= opened // 2, what="each whole request is counted")
    spoken = daemon.records()[lines:]
    # Heart beats are about the machine, which may have been busy with other things.
    assert [] == [
        line
        for line in spoken
        if line["level"] != "debug" and line["event"] != "heart_beat" and "denied" not in json.dumps(line)
    ]
    assert {"200": 50} == asking(daemon.socket, 50)["statuses"]
    assert resident_bytes(daemon) - memory < 8 * MEBIBYTE
    tell(
        f"{opened} clients hung up: {counted(daemon):.0f} counted, {len(spoken)} lines in the log, "
        f"{(resident_bytes(daemon) - memory) / MEBIBYTE:+.1f} MiB, {cpu_seconds(daemon) - used:.1f} s of CPU"
    )


def passed(seconds: float) -> None:
    """Let the crowd be for so long."""
    end = time.monotonic() + seconds
    eventually(lambda: time.monotonic() >= end, what="the time is over", timeout=seconds + 5)


def test_every_token_is_reported(daemon: Daemon, server: DevelopmentAuthorizationServer, tell: Tell) -> None:
    """F-20, R-080: whoever reports each token at once, 100 000 times, forces one mint a minute and no more."""
    reports = scaled(short=10_000, whole=1_000_000)
    before = mints(server)
    outcomes = Counter[str]()
    began = time.monotonic()
    with Client(daemon.socket) as client:
        for _ in range(reports // 100):
            fingerprint = str(client.ask("/v1/tokens/deploy").json["fingerprint"])
            for _ in range(100):
                outcomes[told(report(client, fingerprint))] += 1
    minutes = (time.monotonic() - began) / 60
    assert 1 <= outcomes["started"] <= 1 + minutes
    eventually(lambda: mints(server) == before + outcomes["started"], what="the mints are in the ledger")
    assert {"started", "not_current", "too_old", "rate_limited"} >= set(outcomes)
    tell(f"{reports} reports in {minutes:.1f} min: {dict(outcomes)}, mints forced: {mints(server) - before}")


def report(client: Client, fingerprint: str) -> Answer:
    """A report about this token, made now."""
    body = json.dumps({"fingerprint": fingerprint}).encode()
    head = f"POST /v1/tokens/deploy/reject HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
    client.send(head.encode() + body)
    return client.receive()


def told(answer: Answer) -> str:
    """What became of it."""
    outcome: str = answer.json["code"] if answer.status == 429 else answer.json["outcome"]
    return outcome


def mints(server: DevelopmentAuthorizationServer) -> int:
    """Requests to the token endpoint."""
    return server.ledger.count("token")
