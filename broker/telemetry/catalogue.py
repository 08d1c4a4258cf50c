"""Every metric that the broker exports, described once.

Owns: names, types, labels, help texts and what to watch each for (docs/interface.md 5). Refuses to know:
values, Prometheus. `python -m broker.telemetry.catalogue > docs/metrics.md` prints the page.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Final, Literal

PREFIX: Final = "token_broker_"

Kind = Literal["gauge", "counter", "histogram"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One family. `name` is without the prefix; `watch` says when to look, for people."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    watch: str = ""
    buckets: tuple[float, ...] = ()


CATALOGUE: Final = (
    Metric(
        "token_expires_timestamp_seconds",
        "gauge",
        ("token",),
        "Unix time at which the broker stops serving the current token; no series while there is none.",
        "minus time() below a quarter of the lifetime: renewal does not work; below 0: consumers are without",
    ),
    Metric(
        "token_issued_timestamp_seconds",
        "gauge",
        ("token",),
        "Unix time at which the current token was asked for.",
    ),
    Metric(
        "token_next_renewal_timestamp_seconds",
        "gauge",
        ("token",),
        "Unix time at which the next renewal or the next attempt is due.",
        "more than two minutes past: the daemon is stuck or gone",
    ),
    Metric(
        "token_state",
        "gauge",
        ("token", "state"),
        "1 for the state the token is in, 0 for the others: absent, fresh, stale, expired.",
        "stale for more than 10 minutes; expired or absent at all, where the token is required",
    ),
    Metric(
        "token_revision",
        "gauge",
        ("token",),
        "Number of the current token; 0 while there is none.",
    ),
    Metric(
        "token_last_success_timestamp_seconds",
        "gauge",
        ("token",),
        "Unix time of the last mint that succeeded, by this process.",
        "older than two renewal periods",
    ),
    Metric(
        "token_consecutive_failures",
        "gauge",
        ("token",),
        "Attempts to mint that failed since the last one that succeeded.",
        "above 3",
    ),
    Metric(
        "mints_total",
        "counter",
        ("token", "authorization_server", "outcome", "error"),
        "Attempts to mint, by outcome (success, failure) and error class (empty on success).",
        'error="credential" or "configuration" at all: a person is needed',
    ),
    Metric(
        "mint_duration_seconds",
        "histogram",
        ("authorization_server",),
        "How long attempts to mint took, whatever their outcome.",
        "its 99th percentile, against the server's usual one",
        (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
    ),
    Metric(
        "secret_fetches_total",
        "counter",
        ("backend", "outcome"),
        "Calls to secret backends, reads and version checks.",
        'outcome="failure" for longer than the backend may be away',
    ),
    Metric(
        "secret_fetch_duration_seconds",
        "histogram",
        ("backend",),
        "How long calls to secret backends took.",
        "",
        (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
    ),
    Metric(
        "secret_version_info",
        "gauge",
        ("token", "version"),
        "1, labelled with the version of the client secret in use, where the backend keeps versions.",
    ),
    Metric(
        "client_secret_expires_timestamp_seconds",
        "gauge",
        ("token",),
        "Unix time at which the client secret expires, where that is known.",
        "minus time() below 14 days: rotate it",
    ),
    Metric(
        "backend_logins_total",
        "counter",
        ("backend", "outcome"),
        "Logins to secret backends.",
        "failures, or many more successes than token lifetimes explain",
    ),
    Metric(
        "backend_authenticated",
        "gauge",
        ("backend",),
        "1 if the last login to the backend succeeded, else 0; no series before the first.",
        "0 for more than 5 minutes",
    ),
    Metric(
        "publishes_total",
        "counter",
        ("token", "sink", "outcome"),
        "Publications, by type of sink.",
        'outcome="failure" at all: the consumer of that file gets no new tokens',
    ),
    Metric(
        "publish_last_success_timestamp_seconds",
        "gauge",
        ("token", "sink"),
        "Unix time of the last publication that succeeded.",
        "older than token_issued_timestamp_seconds by more than a minute",
    ),
    Metric(
        "hook_runs_total",
        "counter",
        ("token", "sink", "outcome"),
        "Calls of on_change hooks, by type of sink.",
        'outcome="failure" repeatedly: the program that reads the file may still use an old token',
    ),
    Metric(
        "hook_last_success_timestamp_seconds",
        "gauge",
        ("token", "sink"),
        "Unix time of the last on_change hook that succeeded.",
        "older than publish_last_success_timestamp_seconds by more than a minute",
    ),
    Metric(
        "socket_requests_total",
        "counter",
        ("route", "code"),
        "Requests answered on the Unix socket; code 499: the client was gone before it had read the answer.",
        'code="503": somebody asked for a token that could not be had',
    ),
    Metric(
        "socket_request_duration_seconds",
        "histogram",
        ("route",),
        "How long answers on the Unix socket took; a caller that waits for a renewal counts its wait.",
        "",
        (0.000_1, 0.001, 0.01, 0.1, 1.0, 10.0),
    ),
    Metric(
        "socket_denied_total",
        "counter",
        ("token",),
        "Requests refused for lack of rights; only names that are configured.",
        "a rate: a consumer is missing from tokens.NAME.allow, or somebody is looking around",
    ),
    Metric(
        "rejections_total",
        "counter",
        ("token", "outcome"),
        "Reports that an API refused the token: started, not_current, too_old, rate_limited.",
        'outcome="started" repeatedly: the server revokes tokens, or an API does not know it',
    ),
    Metric(
        "clock_skew_seconds",
        "gauge",
        ("authorization_server",),
        "Date of the authorization server minus our wall clock, at its last answer.",
        "beyond 30 either way",
    ),
    Metric(
        "stuck_workers",
        "gauge",
        (),
        "Calls to secret backends and sinks that were given up on and have not come back.",
        "above 0 for more than 10 minutes",
    ),
    Metric(
        "event_loop_late_seconds",
        "histogram",
        (),
        "How late the event loop's regular beat came, once every few seconds; a suspended machine does not count.",
        "beats above 1: the process was stopped, or has too little CPU",
        (0.01, 0.1, 1.0, 5.0, 30.0),
    ),
    Metric(
        "config_reloads_total",
        "counter",
        ("outcome",),
        "Reloads of the configuration.",
        'outcome="failure": the daemon goes on with the old one',
    ),
    Metric(
        "build_info",
        "gauge",
        ("version", "python"),
        "1, labelled with the versions of the broker and of Python.",
    ),
)


def markdown() -> str:
    """The page `docs/metrics.md`."""
    lines = [
        "# Metrics",
        "",
        "`http://127.0.0.1:9464/metrics` (`ops.listen`) in the Prometheus text format. Times are absolute:",
        "an alert on `... - time()` still fires from the last scrape when the daemon is gone. Labels come",
        "from the configuration or from closed sets. The series of a token vanish with the token. The usual",
        "`process_*` metrics are there as well.",
        "",
        "This page is printed by `python -m broker.telemetry.catalogue`; a test keeps it so.",
        "",
        "| name | type | labels | what it says | watch for |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| `{PREFIX}{metric.name}` | {metric.kind} | {', '.join(f'`{label}`' for label in metric.labels)} "
        f"| {metric.help} | {metric.watch} |"
        for metric in CATALOGUE
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(markdown())
