"""The number of series is bounded by what is configured, and nothing from outside becomes a label."""

from __future__ import annotations

import threading
from typing import get_args

from broker.errors import ErrorClass
from broker.events import ClientSecretExpiryKnown, MintSucceeded, Published, SocketDenied, TokenRejected
from broker.model import TokenRecord
from broker.telemetry.metrics import Metrics
from tests.telemetry.examples import EVENTS, MINTED, PUBLISHED, RECORD, failed
from tests.telemetry.watching import at, samples, watching


def test_the_series_of_a_token_vanish_with_it() -> None:
    """Even those of an event that arrives later from a thread."""
    metrics, reader = watching(RECORD)
    for event in EVENTS:
        metrics(event)
    assert any(("token", "deploy") in labels for _, labels in samples(metrics))
    del reader.by_name["deploy"]
    metrics(PUBLISHED)
    assert [] == [key for key in samples(metrics) if ("token", "deploy") in key[1]]


def test_denials_of_unknown_names_make_no_series() -> None:
    """R-168: nobody can make labels by asking."""
    metrics = Metrics()
    metrics(SocketDenied(token=None, uid=1000, count=1))
    assert [] == [name for name, _ in samples(metrics) if name == "socket_denied_total"]


def test_hostile_words_make_no_labels() -> None:
    """R-168, R-170: codes and messages stay out; a version that is no version is not shown."""
    hostile = 'S3CR3T-1"\n} 1'
    metrics, _ = watching(
        TokenRecord(
            name="deploy", state="fresh", condition="ok", reason=hostile, revision=1, secret_version=hostile
        )
    )
    metrics(failed(code=hostile))
    content = metrics.render()[0]
    assert b"S3CR3T" not in content
    assert 1 == samples(metrics)[at("secret_version_info", token="deploy", version="unprintable")]


def test_the_number_of_series_is_bounded() -> None:
    """R-168: at most 40 a token and 200 besides, whatever happened to them."""
    tokens = [
        TokenRecord(name=f"t{number}", state="fresh", condition="ok", reason="", revision=1)
        for number in range(500)
    ]
    metrics, _ = watching(*tokens)
    outcomes = ("started", "not_current", "too_old", "rate_limited")
    for record in tokens:
        metrics(
            MintSucceeded(
                token=record.name,
                authorization_server="odc",
                revision=1,
                issued_at=0.0,
                expires_at=1.0,
                expires_in=1,
                duration_seconds=0.1,
            )
        )
        for error in get_args(ErrorClass):
            for number in range(3):
                metrics(failed(token=record.name, error=error, code=f"code-{number}"))
        for sink in ("file", "kubernetes-secret"):
            metrics(Published(token=record.name, sink=sink, target="/t", outcome="success", revision=1))
            metrics(Published(token=record.name, sink=sink, target="/t", outcome="failure", revision=1))
        for outcome in outcomes:
            metrics(TokenRejected(token=record.name, outcome=outcome))  # type: ignore[arg-type]  # one of the literals
        metrics(SocketDenied(token=record.name, uid=1, count=1))
        metrics(ClientSecretExpiryKnown(token=record.name, expires_at=1.0))
    assert len(samples(metrics)) <= 40 * len(tokens) + 200


def test_events_come_from_any_thread() -> None:
    """None is lost."""
    metrics, _ = watching(RECORD)

    def mint_often() -> None:
        for _ in range(500):
            metrics(MINTED)

    threads = [threading.Thread(target=mint_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    key = at("mints_total", token="deploy", authorization_server="odc", outcome="success", error="")
    assert 2_000 == samples(metrics)[key]
