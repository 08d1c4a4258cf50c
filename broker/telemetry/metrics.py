"""Events and records as Prometheus metrics, on a registry of its own.

Owns: which event moves which metric, the exposition. Refuses to know: who serves it; what the metrics mean to
people (`catalogue`). The only module that knows prometheus_client.

Label values come from the configuration or from closed sets, so that the number of series is bounded by what
is configured; the version of a secret, the one value from outside, is checked and has one series a token.
"""

from __future__ import annotations

import platform
import re
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, Final, TypeVar, get_args

import prometheus_client
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

import broker
from broker.events import (
    BackendLogin,
    ClientSecretExpiryKnown,
    ClockSkewMeasured,
    ConfigReloaded,
    Event,
    HeartBeat,
    HookRan,
    MintFailed,
    MintSucceeded,
    Published,
    SecretFetched,
    SocketDenied,
    SocketServed,
    TokenRejected,
    WorkersStuck,
)
from broker.model import TokenRecord, TokenState
from broker.ports import Clock, TokenReader
from broker.telemetry.catalogue import CATALOGUE, PREFIX, Metric

E = TypeVar("E")

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_METRICS: Final = {metric.name: metric for metric in CATALOGUE}
_VERSION: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")

_FROM_RECORDS: Final[dict[str, Callable[[TokenRecord], float | None]]] = {
    "token_expires_timestamp_seconds": lambda record: record.expires_at,
    "token_issued_timestamp_seconds": lambda record: record.issued_at,
    "token_next_renewal_timestamp_seconds": lambda record: record.next_renewal_at,
    "token_revision": lambda record: record.revision,
    "token_consecutive_failures": lambda record: record.consecutive_failures,
}


class Metrics:
    """Implements `broker.ports.Observer`; `watch` adds what the tokens' records tell at each scrape."""

    def __init__(self) -> None:
        # Created-series double the exposition; the function that ends them is published without types.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = prometheus_client.CollectorRegistry()
        self._reader: TokenReader | None = None
        self._clock: Clock | None = None
        self._lock = threading.Lock()
        self._series_of: dict[str, set[tuple[str, tuple[str, ...]]]] = {}
        self._stuck: dict[str, int] = {}
        self._socket = _SocketLatency(_METRICS["socket_request_duration_seconds"])
        by_hand = {*_FROM_RECORDS, "token_state", "secret_version_info", self._socket.metric.name}
        self._families = {
            metric.name: _family(metric, self._registry) for metric in CATALOGUE if metric.name not in by_hand
        }
        self._handlers: dict[type, Callable[[Any], None]] = {
            MintSucceeded: self._mint_succeeded,
            MintFailed: self._mint_failed,
            SecretFetched: self._secret_fetched,
            ClientSecretExpiryKnown: self._client_secret_expiry_known,
            BackendLogin: self._backend_login,
            WorkersStuck: self._workers_stuck,
            Published: self._published,
            HookRan: self._hook_ran,
            SocketServed: self._socket_served,
            SocketDenied: self._socket_denied,
            TokenRejected: self._token_rejected,
            ClockSkewMeasured: self._clock_skew_measured,
            ConfigReloaded: self._config_reloaded,
            HeartBeat: self._heart_beat,
        }
        self._registry.register(self._socket)
        prometheus_client.ProcessCollector(registry=self._registry)
        self._at("build_info", broker.__version__, platform.python_version()).set(1)
        for outcome in ("success", "failure"):
            self._at("config_reloads_total", outcome)

    def __call__(self, event: Event, /) -> None:
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)

    def watch(self, reader: TokenReader, clock: Clock) -> None:
        """Show these tokens from now on; once, before the first publication."""
        self._reader, self._clock = reader, clock
        self._registry.register(_Records(reader))

    def render(self) -> tuple[bytes, str]:
        """The exposition and its content type. On the event loop, since it reads the tokens' records."""
        if self._reader is not None:
            self._forget_all_but(self._reader.names())
        return prometheus_client.generate_latest(self._registry), CONTENT_TYPE

    def _forget_all_but(self, configured: Iterable[str]) -> None:
        """Here rather than when a token is removed: an event of a thread may come after that."""
        with self._lock:
            for token in self._series_of.keys() - set(configured):
                for name, labels in self._series_of.pop(token):
                    with suppress(KeyError):
                        self._families[name].remove(*labels)

    def _at(self, name: str, *labels: str) -> Any:
        """The series with these label values; the family itself where there are none."""
        metric = _METRICS[name]
        if metric.labels[:1] == ("token",):
            with self._lock:
                self._series_of.setdefault(labels[0], set()).add((name, labels))
        return self._families[name].labels(*labels) if labels else self._families[name]

    def _mint_succeeded(self, event: MintSucceeded) -> None:
        self._at("mints_total", event.token, event.authorization_server, "success", "").inc()
        self._at("mint_duration_seconds", event.authorization_server).observe(event.duration_seconds)
        self._at("token_last_success_timestamp_seconds", event.token).set(event.issued_at)

    def _mint_failed(self, event: MintFailed) -> None:
        self._at("mints_total", event.token, event.authorization_server, "failure", event.error).inc()
        self._at("mint_duration_seconds", event.authorization_server).observe(event.duration_seconds)

    def _secret_fetched(self, event: SecretFetched) -> None:
        self._at("secret_fetches_total", event.backend, event.outcome).inc()
        self._at("secret_fetch_duration_seconds", event.backend).observe(event.duration_seconds)

    def _client_secret_expiry_known(self, event: ClientSecretExpiryKnown) -> None:
        self._at("client_secret_expires_timestamp_seconds", event.token).set(event.expires_at)

    def _backend_login(self, event: BackendLogin) -> None:
        self._at("backend_logins_total", event.backend, event.outcome).inc()
        self._at("backend_authenticated", event.backend).set(event.outcome == "success")

    def _workers_stuck(self, event: WorkersStuck) -> None:
        with self._lock:
            self._stuck[event.pool] = event.count
            self._families["stuck_workers"].set(sum(self._stuck.values()))

    def _published(self, event: Published) -> None:
        self._at("publishes_total", event.token, event.sink, event.outcome).inc()
        if event.outcome == "success" and self._clock is not None:
            last = self._at("publish_last_success_timestamp_seconds", event.token, event.sink)
            last.set(self._clock.now().wall)

    def _hook_ran(self, event: HookRan) -> None:
        self._at("hook_runs_total", event.token, event.sink, event.outcome).inc()
        if event.outcome == "success" and self._clock is not None:
            last = self._at("hook_last_success_timestamp_seconds", event.token, event.sink)
            last.set(self._clock.now().wall)

    def _socket_served(self, event: SocketServed) -> None:
        self._at("socket_requests_total", event.route, str(event.code)).inc(event.count)
        self._socket.add(event.route, event.duration_seconds, event.count)

    def _socket_denied(self, event: SocketDenied) -> None:
        if event.token is not None:
            self._at("socket_denied_total", event.token).inc(event.count)

    def _token_rejected(self, event: TokenRejected) -> None:
        self._at("rejections_total", event.token, event.outcome).inc()

    def _clock_skew_measured(self, event: ClockSkewMeasured) -> None:
        self._at("clock_skew_seconds", event.authorization_server).set(event.seconds)

    def _config_reloaded(self, event: ConfigReloaded) -> None:
        self._at("config_reloads_total", event.outcome).inc()

    def _heart_beat(self, event: HeartBeat) -> None:
        self._at("event_loop_late_seconds").observe(event.late_seconds)


class _Records(Collector):
    """Gauges read from the tokens' records at each scrape: nothing to keep up to date, nothing stale."""

    def __init__(self, reader: TokenReader) -> None:
        self._reader = reader

    def collect(self) -> Iterator[Family]:
        records = [self._reader.record(name) for name in self._reader.names()]
        for name, read in _FROM_RECORDS.items():
            gauge = _gauge(name)
            for record in records:
                value = read(record)
                if value is not None:
                    gauge.add_metric([record.name], value)
            yield gauge
        state, version = _gauge("token_state"), _gauge("secret_version_info")
        for record in records:
            for candidate in get_args(TokenState):
                state.add_metric([record.name, candidate], record.state == candidate)
            if record.secret_version is not None:
                known = _VERSION.fullmatch(record.secret_version)
                version.add_metric([record.name, record.secret_version if known else "unprintable"], 1)
        yield state
        yield version


class _SocketLatency(Collector):
    """A histogram that takes many observations at once, as the socket adds them up."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self._lock = threading.Lock()
        self._counts: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def add(self, route: str, mean_seconds: float, count: int) -> None:
        """`count` requests that took this long on average; the socket adds up like with like."""
        with self._lock:
            counts = self._counts.setdefault(route, [0] * (len(self.metric.buckets) + 1))
            counts[bisect_left(self.metric.buckets, mean_seconds)] += count
            self._sums[route] = self._sums.get(route, 0.0) + mean_seconds * count

    def collect(self) -> Iterator[Family]:
        family = HistogramMetricFamily(PREFIX + self.metric.name, self.metric.help, labels=self.metric.labels)
        bounds = [*map(floatToGoString, self.metric.buckets), "+Inf"]
        with self._lock:
            for route, counts in self._counts.items():
                cumulated = [sum(counts[: index + 1]) for index in range(len(counts))]
                buckets = [(bound, float(count)) for bound, count in zip(bounds, cumulated, strict=True)]
                family.add_metric([route], buckets=buckets, sum_value=self._sums[route])
        yield family


def _gauge(name: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(PREFIX + name, _METRICS[name].help, labels=_METRICS[name].labels)


def _family(metric: Metric, registry: prometheus_client.CollectorRegistry) -> Any:
    name = PREFIX + metric.name
    if metric.kind == "histogram":
        return prometheus_client.Histogram(
            name, metric.help, metric.labels, registry=registry, buckets=metric.buckets
        )
    kind = prometheus_client.Counter if metric.kind == "counter" else prometheus_client.Gauge
    return kind(name, metric.help, metric.labels, registry=registry)
