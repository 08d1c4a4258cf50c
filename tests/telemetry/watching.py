"""Tokens to look at and an exposition taken apart, for tests of the metrics.

Owns: a TokenReader over records that the test sets, a parser of samples. Refuses to know: what is expected.
"""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client.parser import text_string_to_metric_families

from broker.model import Revision, TokenRecord, TokenState
from broker.policy.rejection import Verdict
from broker.ports import RenewAnswer
from broker.telemetry.metrics import Metrics
from broker.testing.clock import FakeClock

Sample = tuple[str, frozenset[tuple[str, str]]]


class Records:
    """Implements `broker.ports.TokenReader` as far as metrics look."""

    def __init__(self, *records: TokenRecord) -> None:
        self.by_name = {record.name: record for record in records}

    def names(self) -> Sequence[str]:
        return sorted(self.by_name)

    def record(self, name: str) -> TokenRecord:
        return self.by_name[name]

    def state(self, name: str) -> TokenState:
        return self.by_name[name].state

    def revision(self, name: str) -> Revision | None:
        """A scrape has no use for tokens."""
        raise NotImplementedError

    def renew(self, name: str) -> RenewAnswer:
        raise NotImplementedError

    def reject(self, name: str, *, fingerprint: str, requested_at: float | None) -> Verdict:
        raise NotImplementedError

    async def wait_usable(self, name: str, *, min_valid_seconds: float, timeout_seconds: float) -> bool:
        raise NotImplementedError

    async def wait_revision(self, name: str, *, after: int, timeout_seconds: float) -> bool:
        raise NotImplementedError


def watching(*records: TokenRecord) -> tuple[Metrics, Records]:
    """Metrics over these tokens."""
    metrics, reader = Metrics(), Records(*records)
    metrics.watch(reader, FakeClock())
    return metrics, reader


def samples(metrics: Metrics) -> dict[Sample, float]:
    """Every sample of our own, by name without prefix and by labels."""
    text = metrics.render()[0].decode()
    return {
        (sample.name.removeprefix("token_broker_"), frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("token_broker_")
    }


def at(name: str, **labels: str) -> Sample:
    """The key of one sample."""
    return name, frozenset(labels.items())
