"""Which events become a line, at which level, and how often."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from broker.errors import Condition
from broker.events import (
    BackendLogin,
    ClockSkewMeasured,
    ConfigReloaded,
    Event,
    LifeCycle,
    Published,
    RenewalPlanned,
    SecretFetched,
    SecretRotated,
    SocketDenied,
    SocketServed,
    StateChanged,
    TokenRejected,
    TokenRemoved,
    WorkersStuck,
)
from broker.model import TokenState
from broker.telemetry.event_log import LogObserver
from tests.telemetry.examples import DENIED, EVENTS, MINTED, PUBLISHED, TOLD, failed
from tests.telemetry.logged import logged

UNPUBLISHED = Published(
    token="deploy", sink="file", target="/run/t", outcome="failure", revision=3, message="/run/t: no space"
)


class Time:
    """Seconds that the test moves."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


def changed(state: TokenState, condition: Condition) -> StateChanged:
    """A change of the token `deploy`."""
    return StateChanged(token="deploy", state=state, condition=condition, reason="because")


@pytest.mark.parametrize(
    ("event", "level", "name", "message"),
    [
        (MINTED, "info", "mint_succeeded", "minted revision 3, good for 300 s"),
        (failed(), "warning", "mint_failed", "no answer (next attempt in 2 s)"),
        (
            RenewalPlanned(token="deploy", at=1.0, reason="half-life"),
            "debug",
            "renewal_planned",
            "renewal planned: half-life",
        ),
        (changed("fresh", "ok"), "info", "state_changed", "fresh, ok: because"),
        (
            changed("stale", "credential_rejected"),
            "warning",
            "state_changed",
            "stale, credential_rejected: because",
        ),
        (changed("expired", "unreachable"), "error", "state_changed", "expired, unreachable: because"),
        (
            SecretFetched(backend="corp", outcome="success", duration_seconds=0.1),
            "debug",
            "secret_fetched",
            "the secret backend answered",
        ),
        (
            SecretFetched(backend="corp", outcome="failure", duration_seconds=0.1, message="corp: sealed"),
            "warning",
            "secret_fetched",
            "corp: sealed",
        ),
        (
            SecretRotated(token="deploy", version="4"),
            "info",
            "secret_rotated",
            "the client secret has a new version",
        ),
        (
            BackendLogin(backend="corp", outcome="success", method="approle"),
            "info",
            "backend_login",
            "logged in by approle",
        ),
        (
            WorkersStuck(pool="corp", count=1),
            "warning",
            "workers_stuck",
            "corp: 1 calls were given up on and still hang",
        ),
        (WorkersStuck(pool="corp", count=0), "info", "workers_stuck", "corp: no call hangs any more"),
        (PUBLISHED, "info", "published", "published revision 3 to /run/t"),
        (UNPUBLISHED, "warning", "published", "/run/t: no space"),
        (TOLD, "info", "hook_ran", "told of revision 3 in /run/t"),
        (
            replace(TOLD, outcome="failure", message="/usr/bin/app ended with status 1"),
            "warning",
            "hook_ran",
            "/usr/bin/app ended with status 1",
        ),
        (
            DENIED,
            "warning",
            "socket_denied",
            "uid 1000 (pid 42, unit app.service) was refused 2 times: tokens.deploy.allow does not name it",
        ),
        (SocketDenied(token=None, uid=7), "warning", "socket_denied", "uid 7 was refused: no such token"),
        (
            TokenRejected(token="deploy", outcome="started"),
            "info",
            "token_rejected",
            "an API refused the token: started",
        ),
        (
            ClockSkewMeasured(authorization_server="odc", seconds=-31.0),
            "warning",
            "clock_skew_measured",
            "our clock is 31 s ahead of the authorization server's: synchronise it",
        ),
        (
            ClockSkewMeasured(authorization_server="odc", seconds=1.0),
            "debug",
            "clock_skew_measured",
            "our clock is 1 s behind the authorization server's: synchronise it",
        ),
        (
            ConfigReloaded(outcome="failure", message="tokens.x: required"),
            "error",
            "config_reloaded",
            "tokens.x: required",
        ),
        (TokenRemoved(token="deploy"), "info", "token_removed", "no longer configured"),
        (LifeCycle(phase="ready", message="ready"), "info", "life_cycle", "ready"),
        (LifeCycle(phase="degraded", message="not all"), "warning", "life_cycle", "not all"),
    ],
)
def test_an_event_is_told(event: Event, level: str, name: str, message: str) -> None:
    """At its level, under its name, in words."""
    with logged("debug") as log:
        LogObserver()(event)
        assert (level, name, message) == (log.line["level"], log.line["event"], log.line["message"])


def test_the_fields_of_an_event_are_those_of_the_line() -> None:
    """The token first, then the others by their names."""
    with logged() as log:
        LogObserver()(MINTED)
        line = log.line
    assert ["time", "level", "event", "token"] == list(line)[:4]
    assert ("deploy", "odc", 3, 1_700_000_295.5) == (
        line["token"],
        line["authorization_server"],
        line["revision"],
        line["expires_at"],
    )


def test_every_event_has_words_but_one() -> None:
    """Requests on the socket are counted, not told, at any level."""
    with logged("debug") as log:
        LogObserver()(SocketServed(route="token", code=200, duration_seconds=0.1))
        assert [] == log.lines
        observer = LogObserver()
        for event in EVENTS:
            observer(event)
        assert len(EVENTS) - 1 == len(log.lines)
    from broker.telemetry.event_log import _DESCRIPTIONS

    assert set(get_args(Event)) - {SocketServed, SocketDenied} == set(_DESCRIPTIONS)


def test_what_repeats_is_told_once_a_minute_with_a_count() -> None:
    """R-172: one line a token and minute, and how many were left out."""
    time = Time()
    with logged("info") as log:
        observer = LogObserver(clock=time)
        for _ in range(120):
            observer(failed(token="deploy"))
            observer(failed(token="other"))
            time.seconds += 1
        lines = log.lines
    assert ["deploy", "other", "deploy", "other"] == [line["token"] for line in lines]
    assert [None, None, 59, 59] == [line.get("suppressed") for line in lines]


def test_an_outage_makes_a_bounded_log() -> None:
    """R-172: 100 tokens, an attempt of each every ten seconds, an hour of it."""
    time = Time()
    with logged("info", "text") as log:
        observer = LogObserver(clock=time)
        for _ in range(360):
            for number in range(100):
                observer(failed(token=f"t{number}"))
            time.seconds += 10
            log.logging.flush()
        count = log.text.count("\n")
        assert 0 == log.logging.dropped
    assert count <= 100 * 60


def test_changes_of_state_are_always_told() -> None:
    """R-172: however quickly they follow each other."""
    with logged() as log:
        observer = LogObserver(clock=Time())
        for _ in range(3):
            observer(changed("fresh", "ok"))
            observer(changed("stale", "unreachable"))
        assert 6 == len(log.lines)


def test_only_the_first_publication_of_a_target_is_news() -> None:
    """The others are for debugging."""
    with logged("debug") as log:
        observer = LogObserver()
        observer(PUBLISHED)
        observer(PUBLISHED)
        observer(UNPUBLISHED)
        assert ["info", "debug", "warning"] == [line["level"] for line in log.lines]
