"""Events and records as Prometheus metrics, on a registry of its own.

Owns: which event moves which metric, the exposition. Refuses to know: who serves it; what the metrics mean to
people (`catalogue`). The only module that knows prometheus_client.

Label values come from the configuration or from closed sets, so that the number of series is bounded by what
is configured; the version of a secret, the one value from outside, is checked and has one series a token.
"""

from __future__ import annotations

import platform
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

import prometheus_client
from prometheus_client.core import HistogramMetricFamily
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
from broker.model import TokenRecord
from broker.ports import Clock, TokenReader
from broker.telemetry.catalogue import CATALOGUE, PREFIX, Metric
from broker.telemetry.token_series import TokenSeries

E = TypeVar("E")

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_METRICS: Final = {metric.name: metric for metric in CATALOGUE}


class Metrics:
    """Implements `broker.ports.Observer`; `watch` adds what the tokens' records tell at each scrape."""

    def __init__(self) -> None:
        # Created-series double the exposition; the function that ends them is published without types.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = prometheus_client.CollectorRegistry()
        self._reader: TokenReader | None = None
        self._clock: Clock | None = None
        self._lock = threading.Lock()
        self._tokens = TokenSeries(metric for metric in CATALOGUE if metric.labels[:1] == ("token",))
        self._stuck: dict[str, int] = {}
        self._socket = _SocketLatency(_METRICS["socket_request_duration_seconds"])
        self._families = {
            metric.name: _family(metric, self._registry)
            for metric in CATALOGUE
            if metric.labels[:1] != ("token",) and metric is not self._socket.metric
        }
        self._series: dict[tuple[str, tuple[str, ...]], Any] = {}
        """As far as they were moved; to find one in its family takes longer than to move it."""
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

    def render(self) -> tuple[bytes, str]:
        """The exposition and its content type. On the event loop, since it reads the tokens' records."""
        records: list[TokenRecord] = []
        if self._reader is not None:
            names = self._reader.names()
            self._tokens.forget_all_but(names)
            records = [self._reader.record(name) for name in names]
        others = prometheus_client.generate_latest(self._registry)
        return others + "".join(self._tokens.lines(records)).encode(), CONTENT_TYPE

    def _at(self, name: str, *labels: str) -> Any:
        """The series with these label values; the family itself where there are none."""
        series = self._series.get((name, labels))
        if series is None:
            family = self._families[name]
            self._series[name, labels] = series = family.labels(*labels) if labels else family
        return series

    def _mint_succeeded(self, event: MintSucceeded) -> None:
        self._tokens.add("mints_total", event.token, event.authorization_server, "success", "")
        self._at("mint_duration_seconds", event.authorization_server).observe(event.duration_seconds)
        self._tokens.set("token_last_success_timestamp_seconds", event.token, value=event.issued_at)

    def _mint_failed(self, event: MintFailed) -> None:
        self._tokens.add("mints_total", event.token, event.authorization_server, "failure", event.error)
        self._at("mint_duration_seconds", event.authorization_server).observe(event.duration_seconds)

    def _secret_fetched(self, event: SecretFetched) -> None:
        self._at("secret_fetches_total", event.backend, event.outcome).inc()
        self._at("secret_fetch_duration_seconds", event.backend).observe(event.duration_seconds)

    def _client_secret_expiry_known(self, event: ClientSecretExpiryKnown) -> None:
        self._tokens.set("client_secret_expires_timestamp_seconds", event.token, value=event.expires_at)

    def _backend_login(self, event: BackendLogin) -> None:
        self._at("backend_logins_total", event.backend, event.outcome).inc()
        self._at("backend_authenticated", event.backend).set(event.outcome == "success")

    def _workers_stuck(self, event: WorkersStuck) -> None:
        with self._lock:
            self._stuck[event.pool] = event.count
            self._families["stuck_workers"].set(sum(self._stuck.values()))

    def _published(self, event: Published) -> None:
        self._tokens.add("publishes_total", event.token, event.sink, event.outcome)
        if event.outcome == "success" and self._clock is not None:
            self._tokens.set(
                "publish_last_success_timestamp_seconds",
                event.token,
                event.sink,
                value=self._clock.now().wall,
            )

    def _hook_ran(self, event: HookRan) -> None:
        self._tokens.add("hook_runs_total", event.token, event.sink, event.outcome)
        if event.outcome == "success" and self._clock is not None:
            self._tokens.set(
                "hook_last_success_timestamp_seconds", event.token, event.sink, value=self._clock.now().wall
            )

    def _socket_served(self, event: SocketServed) -> None:
        self._at("socket_requests_total", event.route, str(event.code)).inc(event.count)
        self._socket.add(event.route, event.duration_seconds, event.count)

    def _socket_denied(self, event: SocketDenied) -> None:
        if event.token is not None:
            self._tokens.add("socket_denied_total", event.token, amount=event.count)

    def _token_rejected(self, event: TokenRejected) -> None:
        self._tokens.add("rejections_total", event.token, event.outcome)

    def _clock_skew_measured(self, event: ClockSkewMeasured) -> None:
        self._at("clock_skew_seconds", event.authorization_server).set(event.seconds)

    def _config_reloaded(self, event: ConfigReloaded) -> None:
        self._at("config_reloads_total", event.outcome).inc()

    def _heart_beat(self, event: HeartBeat) -> None:
        self._at("event_loop_late_seconds").observe(event.late_seconds)


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


def _family(metric: Metric, registry: prometheus_client.CollectorRegistry) -> Any:
    name = PREFIX + metric.name
    if metric.kind == "histogram":
        return prometheus_client.Histogram(
            name, metric.help, metric.labels, registry=registry, buckets=metric.buckets
        )
    kind = prometheus_client.Counter if metric.kind == "counter" else prometheus_client.Gauge
    return kind(name, metric.help, metric.labels, registry=registry)
