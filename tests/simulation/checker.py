"""Judges a history against the invariants (docs/requirements.md, I1 to I8). Shares no code with the broker.

Owns: what is right. Refuses to know: how the broker works; a violation is a line that names the invariant, the token
and the time.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass

from tests.simulation.history import Asked, History, Minted, Read

MARGIN_SECONDS = 5.0
MARGIN_FRACTION = 0.1
SETTLE_SECONDS = 3.0
"""From the answer of the server to the last reader: a few scheduling turns."""
LOST_AT_KILL_SECONDS = 40.0
"""What a kill may cost, and how long the process is down at most."""
CONVERGE_SECONDS = 16 * 60.0
REQUESTS_PER_HOUR = 130.0


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise."""

    invariant: str
    name: str
    at: float
    what: str

    def __str__(self) -> str:
        return f"{self.invariant} {self.name} at {self.at:.3f}: {self.what}"


def check(history: History) -> list[Violation]:
    """Every violation, in no order."""
    found: list[Violation] = []
    for name in history.names:
        minted = [each for each in history.minted if each.name == name]
        asked = [each for each in history.asked if each.name == name]
        reads = [each for each in history.reads if each.name == name]
        found += _never_expired_or_foreign(name, minted, reads)
        found += _never_withdrawn(history, name, minted, reads)
        found += _one_flight(name, asked)
        found += _gaps(history, name, asked)
        found += _expiry_never_decreases(name, minted, reads)
        found += _planned_once(history, name)
    found += _converged(history)
    found += _silent(history)
    found += _bounded(history)
    return found


def usable(token: Minted) -> float:
    """When the broker stops serving this token: short of the end by 5 s or a tenth."""
    life = token.ends - token.at
    return token.ends - min(MARGIN_SECONDS, MARGIN_FRACTION * life)


def _never_expired_or_foreign(name: str, minted: list[Minted], reads: list[Read]) -> list[Violation]:
    """I1: what is read was minted for that name; the socket never serves an expired one."""
    by_token = {each.token: each for each in minted}
    found = []
    for read in reads:
        if read.token is None:
            continue
        token = by_token.get(read.token)
        if token is None:
            found.append(
                Violation("I1", name, read.at, f"{read.where} has a token that was never minted for it")
            )
        elif read.where == "socket" and read.at > token.ends:
            found.append(Violation("I1", name, read.at, "the socket served an expired token"))
    return found


def _never_withdrawn(history: History, name: str, minted: list[Minted], reads: list[Read]) -> list[Violation]:
    """I2: while some minted token is usable, readers find a usable one, and a file once written stays."""
    found = []
    file_seen = False
    # The best that the broker was given, by the time it was given: later ends only.
    times: list[float] = []
    ends: list[float] = []
    for token in minted:
        best = max(usable(token), ends[-1] if ends else 0.0)
        times.append(token.at + SETTLE_SECONDS)
        ends.append(best)
    by_token = {each.token: each for each in minted}
    for read in reads:
        began = max((start for start in history.starts if start <= read.at), default=0.0)
        if read.where == "file":
            if read.token is None and file_seen:
                found.append(Violation("I2", name, read.at, "the file is missing"))
            file_seen = file_seen or read.token is not None
        index = bisect_right(times, read.at) - 1
        if index < 0 or not _owed(history, read, minted[index], began):
            continue
        if read.at < ends[index] - 1.0:
            held = by_token.get(read.token) if read.token is not None else None
            if held is None or usable(held) < read.at - SETTLE_SECONDS:
                what = f"{read.where} has no usable token, though one was minted that lives on"
                found.append(Violation("I2", name, read.at, what))
    return found


def _owed(history: History, read: Read, token: Minted, began: float) -> bool:
    """Whether this life of the process has been given the token: by the server, or by the cache of the life before.

    A kill may cost what was minted right before it, and a restarted process needs a moment.
    """
    if token.at >= began:
        return True
    kept = history.is_cached and token.at < began - LOST_AT_KILL_SECONDS
    return kept and read.at > began + SETTLE_SECONDS


def _one_flight(name: str, asked: list[Asked]) -> list[Violation]:
    """I3: at most one request for a token at a time."""
    return [
        Violation("I3", name, later.at, "a second request while one was in flight")
        for earlier, later in itertools.pairwise(asked)
        if later.at < earlier.until
    ]


def _gaps(history: History, name: str, asked: list[Asked]) -> list[Violation]:
    """I4: requests are 100 ms apart, and a second after a failure but for one immediate try of another secret."""
    found = []
    immediate = 0
    for earlier, later in itertools.pairwise(asked):
        if any(earlier.until <= start <= later.at for start in history.starts):
            continue
        gap = later.at - earlier.until
        failed = earlier.answer != "ok"
        if failed and gap < 1.0 - 1e-6:
            immediate += 1
            other_secret = earlier.answer == "credential" and later.secret != earlier.secret
            if not other_secret or immediate > 1:
                found.append(Violation("I4", name, later.at, f"{gap * 1000:.0f} ms after a failure"))
        else:
            immediate = 0
            if not failed and later.at - earlier.at < 0.1:
                found.append(Violation("I4", name, later.at, "less than 100 ms after a mint"))
    return found


def _expiry_never_decreases(name: str, minted: list[Minted], reads: list[Read]) -> list[Violation]:
    """I5: a token is followed by one that lives as long, unless another secret bought it."""
    by_token = {each.token: each for each in minted}
    found = []
    held: Minted | None = None
    for read in reads:
        if read.where != "socket" or read.token is None or (token := by_token.get(read.token)) is None:
            continue
        if held is not None and token is not held:
            shorter = usable(token) < usable(held) - 1.0 and usable(held) > read.at
            if shorter and token.secret == held.secret:
                found.append(Violation("I5", name, read.at, "a token was replaced by one that ends sooner"))
        held = token
    return found


def _planned_once(history: History, name: str) -> list[Violation]:
    """R-064: the renewal point is drawn once a mint, not at every look."""
    plans = [at for at, token, _ in history.plans if token == name]
    mints = sum(1 for each in history.asked if each.name == name and each.answer == "ok")
    allowed = 3 * (mints + len(history.starts)) + 3
    if len(plans) > allowed:
        return [Violation("R-064", name, plans[-1], f"{len(plans)} plans for {mints} mints")]
    return []


def _converged(history: History) -> list[Violation]:
    """I6: sixteen minutes after the last disturbance every reader finds a usable token."""
    calm = max((each.end for each in history.disturbances), default=history.began) + CONVERGE_SECONDS
    by_token = {each.token: each for each in history.minted}
    found = []
    for read in history.reads:
        if read.at < calm or read.at < history.began + CONVERGE_SECONDS:
            continue
        token = by_token.get(read.token) if read.token is not None else None
        if token is None or token.ends < read.at:
            found.append(Violation("I6", read.name, read.at, f"{read.where} has not recovered"))
    return found


def _silent(history: History) -> list[Violation]:
    """I7: nothing that is told holds a secret or a token."""
    return [
        Violation("I7", "-", history.ended, f"a secret in {text[:40]!r}")
        for text in history.told
        if history.marker in text
    ]


def _bounded(history: History) -> list[Violation]:
    """I8: requests an hour stay bounded, whatever the server does."""
    hours: dict[tuple[str, int], int] = defaultdict(int)
    for each in history.asked:
        hours[each.name, int(each.at // 3600)] += 1
    return [
        Violation("I8", name, hour * 3600.0, f"{count} requests in an hour")
        for (name, hour), count in hours.items()
        if count > REQUESTS_PER_HOUR
    ]
