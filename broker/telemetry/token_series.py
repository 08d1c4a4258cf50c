"""The series of each managed token: values that events moved, and what the records tell at a scrape.

Owns: keeping them in little memory (a client library takes half a kilobyte for a series, and there are a dozen for each
token), forgetting a token's series with it, their lines in Prometheus' text format. Refuses to know: which event moves
which series, all metrics that are not about one token.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Final, get_args

from broker.model import TokenRecord, TokenState
from broker.telemetry.catalogue import PREFIX, Metric

_VERSION: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
"""The one value from outside."""

_FROM_RECORDS: Final[dict[str, Callable[[TokenRecord], float | None]]] = {
    "token_expires_timestamp_seconds": lambda record: record.expires_at,
    "token_issued_timestamp_seconds": lambda record: record.issued_at,
    "token_next_renewal_timestamp_seconds": lambda record: record.next_renewal_at,
    "token_revision": lambda record: record.revision,
    "token_consecutive_failures": lambda record: record.consecutive_failures,
}


class TokenSeries:
    """All families of `metrics`, whose first label is the token. Thread-safe."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = {metric.name: metric for metric in metrics}
        self._lock = threading.Lock()
        self._values: dict[str, dict[str, float]] = {}
        """Token -> what stands before and after the token in a line, joined by it -> value."""
        self._places: dict[str, dict[tuple[str, ...], str]] = {name: {} for name in self._metrics}

    def add(self, name: str, token: str, *labels: str, amount: float = 1.0) -> None:
        """Count."""
        with self._lock:
            place = self._place(name, labels)
            values = self._values.setdefault(token, {})
            values[place] = values.get(place, 0.0) + amount

    def set(self, name: str, token: str, *labels: str, value: float) -> None:
        """Replace a value."""
        with self._lock:
            self._values.setdefault(token, {})[self._place(name, labels)] = float(value)

    def forget_all_but(self, tokens: Iterable[str]) -> None:
        """Drop the series of tokens that are gone; at a scrape, since an event of a thread may come late."""
        with self._lock:
            for token in self._values.keys() - set(tokens):
                del self._values[token]

    def lines(self, records: Iterable[TokenRecord]) -> Iterator[str]:
        """The families, each a text."""
        known = list(records)
        for metric in self._metrics.values():
            name = PREFIX + metric.name
            yield f"# HELP {name} {metric.help}\n# TYPE {name} {metric.kind}\n"
            yield "".join(self._of_records(metric.name, known))
            yield "".join(self._of_events(metric.name))

    def _of_events(self, name: str) -> Iterator[str]:
        with self._lock:
            for place in self._places[name].values():
                before, _, after = place.partition("\0")
                for token, values in self._values.items():
                    value = values.get(place)
                    if value is not None:
                        yield f"{before}{token}{after}{value!r}\n"

    def _of_records(self, name: str, records: list[TokenRecord]) -> Iterator[str]:
        read, start = _FROM_RECORDS.get(name), f'{PREFIX}{name}{{token="'
        for record in records:
            if name == "token_state":
                for state in get_args(TokenState):
                    yield f'{start}{record.name}",state="{state}"}} {float(record.state == state)!r}\n'
            elif name == "secret_version_info" and record.secret_version is not None:
                version = (
                    record.secret_version if _VERSION.fullmatch(record.secret_version) else "unprintable"
                )
                yield f'{start}{record.name}",version="{version}"}} 1.0\n'
            elif read is not None and (value := read(record)) is not None:
                yield f'{start}{record.name}"}} {float(value)!r}\n'

    def _place(self, name: str, labels: tuple[str, ...]) -> str:
        """One string for all tokens."""
        place = self._places[name].get(labels)
        if place is None:
            pairs = zip(self._metrics[name].labels[1:], labels, strict=True)
            rest = "".join(f',{label}="{_escaped(value)}"' for label, value in pairs)
            place = self._places[name][labels] = f'{PREFIX}{name}{{token="\0"{rest}}} '
        return place


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
