"""The series of each managed token: values that events moved, and what the records tell at a scrape.

Owns: keeping them in little memory (a client library takes half a kilobyte for a series, and there are a dozen for each
token), forgetting a token's series with it, their lines in Prometheus' text format. Refuses to know: which event moves
which series, all metrics that are not about one token.
"""

from __future__ import annotations

import math
import re
import threading
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """One series of each token: where its value is, and what stands before and after the token in its line."""

    index: int
    before: str
    after: str


class TokenSeries:
    """All families of `metrics`, whose first label is the token. Thread-safe."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = {metric.name: metric for metric in metrics}
        self._lock = threading.Lock()
        self._values: dict[str, array[float]] = {}
        """Token -> its value at each place, NaN where it has none."""
        self._places: dict[str, dict[tuple[str, ...], _Place]] = {name: {} for name in self._metrics}

    def add(self, name: str, token: str, *labels: str, amount: float = 1.0) -> None:
        """Count."""
        with self._lock:
            place = self._place(name, labels)
            values = self._values_of(token, place)
            before = values[place.index]
            values[place.index] = amount if math.isnan(before) else before + amount

    def set(self, name: str, token: str, *labels: str, value: float) -> None:
        """Replace a value."""
        with self._lock:
            place = self._place(name, labels)
            self._values_of(token, place)[place.index] = value

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
                for token, values in self._values.items():
                    if place.index < len(values) and not math.isnan(value := values[place.index]):
                        yield f"{place.before}{token}{place.after}{value!r}\n"

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

    def _values_of(self, token: str, place: _Place) -> array[float]:
        values = self._values.get(token)
        if values is None:
            values = self._values[token] = array("d")
        if len(values) <= place.index:
            values.extend([math.nan] * (place.index + 1 - len(values)))
        return values

    def _place(self, name: str, labels: tuple[str, ...]) -> _Place:
        """One for all tokens."""
        place = self._places[name].get(labels)
        if place is None:
            pairs = zip(self._metrics[name].labels[1:], labels, strict=True)
            rest = "".join(f',{label}="{_escaped(value)}"' for label, value in pairs)
            place = _Place(
                index=sum(map(len, self._places.values())),
                before=f'{PREFIX}{name}{{token="',
                after=f'"{rest}}} ',
            )
            self._places[name][labels] = place
        return place


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
