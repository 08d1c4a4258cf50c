"""Judges a history against the invariants I1 to I8 of docs/requirements.md. Shares no code with the broker.

Owns: what concerns the whole process; one token's reads and requests have judges of their own. Refuses to know: how the
broker works. Looks at each record once and keeps no history, so that it can watch for years.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass

from tests.simulation.excuses import Excuses
from tests.simulation.history import Record
from tests.simulation.read_judge import ReadJudge
from tests.simulation.request_judge import RequestJudge
from tests.simulation.sight import EARLIEST_FRACTION, LATEST_FRACTION, Report, Sight

MOST_AT_ONCE = 4
"""`max_concurrent_mints` of one authorization server, unless configured."""
STOP_SECONDS = 5.0
HOUR_SECONDS = 3600.0
RETRIES_PER_HOUR = 600
FEWEST_FRACTIONS = 12
MANY_DEVIATIONS = 5.0
MOST_OF_A_KIND = 3
"""The same invariant broken a thousand times says no more."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise; `at` on the boot clock."""

    invariant: str
    token: str
    at: float
    what: str

    def __str__(self) -> str:
        return f"{self.invariant} {self.token} at {self.at:.3f}: {self.what}"


class Checker:
    """Sees records in their order, and holds what is wrong with them."""

    def __init__(self, names: Iterable[str], *, marker: str, removed_on_expiry: Iterable[str] = ()) -> None:
        self.violations: list[Violation] = []
        self._marker = marker
        self._counts: Counter[tuple[str, str]] = Counter()
        self._at_once: dict[str, set[int]] = {}
        self._paused_until: dict[str, float] = {}
        self._failures: dict[str, deque[float]] = {}
        self._tokens_of: dict[str, set[str]] = {}
        """Of each authorization server; they share its metadata."""
        removed = set(removed_on_expiry)
        self._excuses = {name: Excuses() for name in names}
        self._reads: dict[str, ReadJudge] = {}
        self._requests: dict[str, RequestJudge] = {}
        for name, excuses in self._excuses.items():
            sight = Sight(excuses=excuses, report=self._reporter(name))
            self._reads[name] = ReadJudge(sight, removed_on_expiry=name in removed)
            self._requests[name] = RequestJudge(sight)

    def see(self, record: Record) -> None:
        """Judge one more record."""
        getattr(self, f"_{record['kind']}")(record)

    def _reporter(self, name: str) -> Report:
        def report(invariant: str, at: float, what: str) -> None:
            self._report(invariant, name, at, what)

        return report

    def _report(self, invariant: str, name: str, at: float, what: str) -> None:
        self._counts[invariant, name] += 1
        if self._counts[invariant, name] <= MOST_OF_A_KIND:
            self.violations.append(Violation(invariant, name, at, what))

    def _start(self, record: Record) -> None:
        for name, excuses in self._excuses.items():
            excuses.started(record["boot"])
            self._reads[name].started(record)
            self._requests[name].started(record)

    def _stop(self, record: Record) -> None:
        if record["seconds"] > STOP_SECONDS:
            self._report("R-147", "-", record["boot"], f"stopping took {record['seconds']:.1f} s")
        for judge in self._reads.values():
            judge.stopped(record)

    def _reload(self, record: Record) -> None:
        for name, judge in self._requests.items():
            judge.reloaded(identity_changed=name in record["changed"])
        for name in record["changed"]:
            self._reads[name].identity_changed()

    def _fault(self, record: Record) -> None:
        for name in record["tokens"]:
            self._requests[name].fault()
            self._excuses[name].fault(record)

    def _secret(self, record: Record) -> None:
        self._reads[record["token"]].secret_moved()
        self._requests[record["token"]].secret(record)

    def _wish(self, record: Record) -> None:
        self._requests[record["token"]].wish(record)

    def _ask(self, record: Record) -> None:
        server, now = record["server"], record["boot"]
        at_once = self._at_once.setdefault(server, set())
        at_once.add(record["id"])
        if len(at_once) > MOST_AT_ONCE:
            self._report("R-034", server, now, f"{len(at_once)} requests at once")
        if now < self._paused_until.get(server, 0.0) - 1e-6:
            left = self._paused_until[server] - now
            self._report("R-055", server, now, f"a request {left:.1f} s before the end of a pause")
        tokens = self._tokens_of.setdefault(server, set())
        tokens.add(record["token"])
        for name in tokens:
            self._excuses[name].has_metadata = True
        self._requests[record["token"]].ask(record)

    def _answer(self, record: Record) -> None:
        for at_once in self._at_once.values():
            at_once.discard(record["id"])
        if record["outcome"] == "throttled":
            pause = min(max(record["retry_after"], 1.0), 900.0)
            until = record["boot"] + pause
            self._paused_until[record["server"]] = max(self._paused_until.get(record["server"], 0.0), until)
        if record["outcome"] in ("failed", "cut"):
            self._failed(record["server"], record["boot"])
        minted = self._requests[record["token"]].answer(record)
        if minted is not None:
            self._reads[record["token"]].minted(minted)

    def _failed(self, server: str, now: float) -> None:
        """R-056: ten retries a minute, however many tokens wait; each of them may have begun without one."""
        recent = self._failures.setdefault(server, deque())
        recent.append(now)
        while recent[0] <= now - HOUR_SECONDS:
            recent.popleft()
        if len(recent) > RETRIES_PER_HOUR + 2 * len(self._excuses):
            self._report("R-056", server, now, f"{len(recent)} failed requests in an hour")

    def _forged(self, record: Record) -> None:
        self._reads[record["token"]].forged.add(record["value"])

    def _read(self, record: Record) -> None:
        self._reads[record["token"]].read(record)

    def _stray(self, record: Record) -> None:
        self._report("F-08", "-", record["boot"], f"a request to {record['url']}")

    def _told(self, record: Record) -> None:
        """I7, and R-179: nothing fails that nobody expected to fail."""
        if self._marker in record["text"]:
            where = record["text"].index(self._marker)
            self._report(
                "I7",
                "-",
                record["boot"],
                f"a secret is told: {record['text'][max(0, where - 60) : where]!r}...",
            )
        if record["level"] == "error":
            self._report("R-179", "-", record["boot"], record["text"][-600:])

    def _end(self, record: Record) -> None:
        """R-064: jitter drawn once is uniform over all renewals; drawn again at a look it leans to one end."""
        fractions: list[float] = []
        for judge in self._requests.values():
            judge.end(record["boot"])
            fractions += judge.fractions
        if len(fractions) < FEWEST_FRACTIONS:
            return
        mean, middle = sum(fractions) / len(fractions), (EARLIEST_FRACTION + LATEST_FRACTION) / 2
        deviation = (LATEST_FRACTION - EARLIEST_FRACTION) / math.sqrt(12 * len(fractions))
        if abs(mean - middle) > MANY_DEVIATIONS * deviation:
            self._report(
                "R-064",
                "-",
                record["boot"],
                f"{len(fractions)} renewals at {mean:.1%} of the life on average",
            )


def check(
    records: Iterable[Record],
    names: Iterable[str],
    *,
    marker: str = "S3CR3T-",
    removed_on_expiry: Iterable[str] = (),
) -> list[Violation]:
    """Every violation in a whole history."""
    checker = Checker(names, marker=marker, removed_on_expiry=removed_on_expiry)
    for record in records:
        checker.see(record)
    return checker.violations
