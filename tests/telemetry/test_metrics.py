"""Events and records become the metrics of the interface, with bounded labels and nothing secret."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from prometheus_client.parser import text_string_to_metric_families

import broker
from broker.events import (
    BackendLogin,
    ClientSecretExpiryKnown,
    ClockSkewMeasured,
    ConfigReloaded,
    Event,
    HeartBeat,
    LifeCycle,
    SecretFetched,
    SocketServed,
    TokenRejected,
    WorkersStuck,
)
from broker.model import TokenRecord, TokenState
from broker.telemetry.catalogue import CATALOGUE, PREFIX, markdown
from broker.telemetry.metrics import Metrics
from broker.testing.clock import START_WALL_SECONDS
from tests.telemetry.examples import DENIED, EVENTS, MINTED, PUBLISHED, RECORD, TOLD, failed
from tests.telemetry.watching import at, samples, watching

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            MINTED,
            {
                at("mints_total", token="deploy", authorization_server="odc", outcome="success", error=""): 1,
                at("mint_duration_seconds_count", authorization_server="odc"): 1,
                at("token_last_success_timestamp_seconds", token="deploy"): 1_700_000_000.5,
            },
        ),
        (
            failed(error="credential"),
            {
                at(
                    "mints_total",
                    token="deploy",
                    authorization_server="odc",
                    outcome="failure",
                    error="credential",
                ): 1
            },
        ),
        (
            SecretFetched(backend="corp", outcome="failure", duration_seconds=0.02),
            {
                at("secret_fetches_total", backend="corp", outcome="failure"): 1,
                at("secret_fetch_duration_seconds_bucket", backend="corp", le="0.025"): 1,
                at("secret_fetch_duration_seconds_bucket", backend="corp", le="0.01"): 0,
            },
        ),
        (
            ClientSecretExpiryKnown(token="deploy", expires_at=1_800_000_000.0),
            {at("client_secret_expires_timestamp_seconds", token="deploy"): 1_800_000_000.0},
        ),
        (
            BackendLogin(backend="corp", outcome="failure", method="approle"),
            {
                at("backend_logins_total", backend="corp", outcome="failure"): 1,
                at("backend_authenticated", backend="corp"): 0,
            },
        ),
        (WorkersStuck(pool="corp", count=2), {at("stuck_workers"): 2}),
        (
            HeartBeat(late_seconds=0.5),
            {
                at("event_loop_late_seconds_bucket", le="0.1"): 0,
                at("event_loop_late_seconds_bucket", le="1.0"): 1,
            },
        ),
        (
            PUBLISHED,
            {
                at("publishes_total", token="deploy", sink="file", outcome="success"): 1,
                at("publish_last_success_timestamp_seconds", token="deploy", sink="file"): START_WALL_SECONDS,
            },
        ),
        (
            TOLD,
            {
                at("hook_runs_total", token="deploy", sink="file", outcome="success"): 1,
                at("hook_last_success_timestamp_seconds", token="deploy", sink="file"): START_WALL_SECONDS,
            },
        ),
        (DENIED, {at("socket_denied_total", token="deploy"): 2}),
        (
            TokenRejected(token="deploy", outcome="too_old"),
            {at("rejections_total", token="deploy", outcome="too_old"): 1},
        ),
        (
            ClockSkewMeasured(authorization_server="odc", seconds=-1.5),
            {at("clock_skew_seconds", authorization_server="odc"): -1.5},
        ),
        (
            ConfigReloaded(outcome="failure", message="no"),
            {
                at("config_reloads_total", outcome="failure"): 1,
                at("config_reloads_total", outcome="success"): 0,
            },
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_event_moves_its_metrics(
    event: Event, expected: dict[tuple[str, frozenset[tuple[str, str]]], float]
) -> None:
    """One event of each kind, and the samples that it makes."""
    metrics, _ = watching(RECORD)
    metrics(event)
    found = samples(metrics)
    assert expected == {key: found.get(key) for key in expected}


def test_requests_that_the_socket_added_up_count_each() -> None:
    """One event may stand for thousands of requests of about the same duration."""
    metrics, _ = watching()
    metrics(SocketServed(route="token", code=200, duration_seconds=0.000_05, count=3))
    metrics(SocketServed(route="token", code=503, duration_seconds=20.0, count=1))
    found = samples(metrics)
    assert 3 == found[at("socket_requests_total", route="token", code="200")]
    assert 3 == found[at("socket_request_duration_seconds_bucket", route="token", le="0.0001")]
    assert 3 == found[at("socket_request_duration_seconds_bucket", route="token", le="10.0")]
    assert 4 == found[at("socket_request_duration_seconds_bucket", route="token", le="+Inf")]
    assert 4 == found[at("socket_request_duration_seconds_count", route="token")]
    assert pytest.approx(20.000_15) == found[at("socket_request_duration_seconds_sum", route="token")]


def test_a_record_is_read_at_each_scrape() -> None:
    """R-167: absolute times, the states as one series each."""
    metrics, reader = watching(RECORD)
    found = samples(metrics)
    assert 1_700_000_295.5 == found[at("token_expires_timestamp_seconds", token="deploy")]
    assert 1_700_000_000.5 == found[at("token_issued_timestamp_seconds", token="deploy")]
    assert 1_700_000_150.0 == found[at("token_next_renewal_timestamp_seconds", token="deploy")]
    assert (3, 2) == (
        found[at("token_revision", token="deploy")],
        found[at("token_consecutive_failures", token="deploy")],
    )
    assert {"absent": 0, "fresh": 0, "stale": 1, "expired": 0} == {
        state: found[at("token_state", token="deploy", state=state)] for state in get_args(TokenState)
    }
    assert 1 == found[at("secret_version_info", token="deploy", version="4")]
    reader.by_name["deploy"] = TokenRecord(
        name="deploy", state="absent", condition="ok", reason="starting", revision=0
    )
    found = samples(metrics)
    assert at("token_expires_timestamp_seconds", token="deploy") not in found
    assert 1 == found[at("token_state", token="deploy", state="absent")]


def test_every_metric_of_the_catalogue_has_its_type_labels_and_help() -> None:
    """The exposition is what `docs/metrics.md` says, no more and no less."""
    metrics, _ = watching(RECORD)
    for event in EVENTS:
        metrics(event)
    families = {
        family.name: family
        for family in text_string_to_metric_families(metrics.render()[0].decode())
        if family.name.startswith(PREFIX)
    }
    exported = {
        (
            family.name + ("_total" if family.type == "counter" else ""),
            family.type,
            frozenset(family.samples[0].labels) - {"le"},
            family.documentation,
        )
        for family in families.values()
    }
    assert exported == {
        (PREFIX + metric.name, metric.kind, frozenset(metric.labels), metric.help) for metric in CATALOGUE
    }


def test_the_page_is_printed_from_the_catalogue() -> None:
    """`python -m broker.telemetry.catalogue > docs/metrics.md` after a change."""
    assert markdown() == (REPOSITORY / "docs" / "metrics.md").read_text()


def test_the_process_and_the_build_are_there() -> None:
    """And the content type says which format it is."""
    content, content_type = Metrics().render()
    assert "text/plain; version=0.0.4; charset=utf-8" == content_type
    assert b"\nprocess_resident_memory_bytes " in content
    assert b'token_broker_build_info{python="3.' in content
    assert f'version="{broker.__version__}"}} 1.0'.encode() in content


def test_events_without_a_metric_are_fine() -> None:
    """An observer takes every event."""
    metrics = Metrics()
    before = samples(metrics)
    metrics(LifeCycle(phase="ready", message="ready"))
    assert before == samples(metrics)
