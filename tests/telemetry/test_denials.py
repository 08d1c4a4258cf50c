"""Denials on the socket as log lines: each is counted in one, and no peer fills the log."""

from __future__ import annotations

from dataclasses import replace

from broker.events import HeartBeat, SocketDenied
from broker.telemetry.event_log import LogObserver
from tests.telemetry.examples import DENIED
from tests.telemetry.logged import logged
from tests.telemetry.test_event_log import Time

BEAT = HeartBeat(late_seconds=0.0, suspended_seconds=0.0)


def test_a_denial_names_who_was_refused_what_and_how_often() -> None:
    """R-173: uid, pid, unit, token and count, as members and in words."""
    with logged() as log:
        LogObserver(clock=Time())(DENIED)
        (line,) = log.lines
        members = {name: line[name] for name in ("uid", "pid", "unit", "token", "count")}
        assert {"uid": 1000, "pid": 42, "unit": "app.service", "token": "deploy", "count": 2} == members


def test_refused_peers_cannot_fill_the_log() -> None:
    """R-172: one line a minute and user, whatever names are tried."""
    with logged() as log:
        observer = LogObserver(clock=Time())
        for number in range(100):
            observer(SocketDenied(token=f"t{number}", uid=1000))
        observer(SocketDenied(token="t1", uid=1001))
        assert [1000, 1001] == [line["uid"] for line in log.lines]


def test_what_is_left_out_is_told_as_a_sum_a_minute_later() -> None:
    """R-173: nothing is lost, also where the peer has given up meanwhile; then the user is forgotten."""
    time = Time()
    with logged() as log:
        observer = LogObserver(clock=time)
        observer(DENIED)
        observer(replace(DENIED, count=5))
        observer(replace(DENIED, token="other", pid=43, unit=None))
        observer(SocketDenied(token=None, uid=1000, pid=44))
        observer(BEAT)
        time.seconds += 60
        observer(BEAT)
        _, line = log.lines
        assert (
            "uid 1000 (pid 44) was refused again 8 times: no such token; tokens.deploy.allow does not name it 5 times; "
            "tokens.other.allow does not name it 2 times"
        ) == line["message"]
        assert (8, 44) == (line["count"], line["pid"])
        time.seconds += 60
        observer(BEAT)
        assert 2 == len(log.lines)
        observer(DENIED)
        assert 3 == len(log.lines)


def test_a_sum_names_ten_tokens_at_the_most() -> None:
    """R-172: somebody who tries ten thousand names gets no line of ten thousand."""
    time = Time()
    with logged() as log:
        observer = LogObserver(clock=time)
        for number in range(101):
            observer(SocketDenied(token=f"t{number:03}", uid=7))
        time.seconds += 60
        observer(BEAT)
        line = log.lines[-1]
        assert 100 == line["count"]
        assert "t010.allow does not name it; and 90 more tokens" in line["message"]
        assert "t011" not in line["message"]
