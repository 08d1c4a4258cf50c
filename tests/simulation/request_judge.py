"""Judges what one token asks of its authorization server: I3, I4, I8, R-050, R-064, R-074 and R-076.

Owns: how soon and how often a request may follow another. Refuses to know: what readers find.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from tests.simulation.history import Record
from tests.simulation.sight import EARLIEST_FRACTION, LATEST_FRACTION, Minted, Sight

EDGE = 1e-6
CLOSEST_SECONDS = 0.1
AFTER_FAILURE_SECONDS = 1.0
SCHEDULED_SECONDS = 10.0
FIRST_CREDENTIAL_SECONDS = 60.0
LATE_SECONDS = 60.0
"""A backend that hangs delays a mint by its deadlines, and nothing else does."""
FAILURES_PER_HOUR = 150
REJECTIONS_PER_TEN_MINUTES = 5
SECRET_SECONDS = 80.0
"""From the storing of the right secret to a token that it bought: R-076."""
LOOKED_AT_LIFE_SECONDS = 1800.0
"""Of shorter lives the jitter is a matter of seconds, as much as an attempt may take."""


@dataclass(slots=True)
class _Last:
    """The last request of this process and its answer."""

    id: int
    asked: float
    secret: str
    answered: float | None = None
    outcome: str = "none"
    minted: Minted | None = None
    kept_another: bool = False
    """The token lives no longer than one the broker had: it is kept, and the server asked again sooner."""


class RequestJudge:
    """One token's requests."""

    def __init__(self, sight: Sight) -> None:
        self._excuses = sight.excuses
        self._report = sight.report
        self._last: _Last | None = None
        self._undisturbed = False
        """Nothing but time has happened since the last request."""
        self._wished = False
        self._immediate = False
        self._rejected_in_a_row = 0
        self._best_end = 0.0
        self._rejections: deque[float] = deque()
        self._secrets: deque[float] = deque(maxlen=100)
        self._failures: deque[float] = deque()
        self._successes: deque[float] = deque()
        self.fractions: list[float] = []
        """At which part of the life renewals came that nothing but time caused."""
        self._awaited: tuple[float, str] | None = None

    def started(self, record: Record) -> None:
        """Another process knows nothing of what this one asked; what it was given may have been kept for it.

        A cache that was spoilt may hold an older authentic copy, of the very token that a server hands out again.
        """
        self._last = None
        self._rejected_in_a_row = 0
        if record["adopts"] is False:
            self._best_end = 0.0
        self._awaited = None

    def reloaded(self, *, identity_changed: bool) -> None:
        """A reload may cut an attempt short; it starts a mint only where the identity is another one (R-012)."""
        self._undisturbed = False
        self._wished = self._wished or identity_changed
        if self._last is not None and self._last.outcome in ("none", "cut"):
            self._last = None

    def fault(self) -> None:
        """Something begins or ends to go wrong."""
        self._undisturbed = False
        self._awaited = None

    def wish(self, record: Record) -> None:
        """Somebody asked for another token."""
        self._undisturbed = False
        self._wished = True

    def secret(self, record: Record) -> None:
        """The client secret changed at one end."""
        self._undisturbed = False
        self._secrets.append(record["boot"])
        self._awaited = None
        calm = not self._excuses.has(
            "network", "pause", "backend", "metadata", "stale", "machine", "restart", "caching"
        )
        if (
            record["at"] == "store"
            and record["agrees"]
            and record["news"]
            and calm
            and self._last is not None
        ):
            self._awaited = (record["boot"] + SECRET_SECONDS, record["secret"])

    def ask(self, record: Record) -> None:
        """A request goes out."""
        now, last = record["boot"], self._last
        self._overdue_secret(now)
        if last is not None:
            if last.answered is None:
                self._report("I3", now, "a second request while one was under way")
            if now - last.asked < CLOSEST_SECONDS - EDGE:
                self._report("I4", now, f"two requests within {(now - last.asked) * 1000:.0f} ms")
            if last.answered is not None and last.outcome != "token":
                self._after_failure(record, last, now - last.answered)
            elif last.minted is not None:
                self._after_mint(record, last.minted, kept_another=last.kept_another)
        self._last = _Last(record["id"], now, record["secret"])
        self._undisturbed = True
        self._wished = False

    def answer(self, record: Record) -> Minted | None:
        """Its answer, or the end of the wait for one."""
        last, now = self._last, record["boot"]
        if last is None or last.id != record["id"]:
            return None
        last.answered, last.outcome = now, record["outcome"]
        self._rejected_in_a_row = self._rejected_in_a_row + 1 if last.outcome == "rejected" else 0
        if last.outcome != "token":
            self._failed(now, rejected=last.outcome == "rejected")
            return None
        self._bounded(self._successes, now, most=int(3600 / SCHEDULED_SECONDS) + 20, what="mints")
        if self._awaited is not None and self._awaited[1] == last.secret:
            self._awaited = None
        offset = record["wall"] - now
        minted = Minted(record["value"], last.asked, now, float(record["expires_in"]), last.secret, offset)
        last.minted, last.kept_another = minted, minted.ends <= self._best_end + 1.0
        self._best_end = max(self._best_end, minted.ends)
        return minted

    def end(self, now: float) -> None:
        """Nothing follows."""
        self._overdue_secret(now)

    def _after_failure(self, record: Record, last: _Last, gap: float) -> None:
        now, other_secret = record["boot"], record["secret"] != last.secret
        if gap < AFTER_FAILURE_SECONDS - EDGE:
            if not (last.outcome == "rejected" and other_secret) or self._immediate:
                self._report("I4", now, f"{gap * 1000:.0f} ms after a failure")
            self._immediate = True
            return
        self._immediate = False
        if last.outcome == "rejected" and not other_secret:
            least = min(FIRST_CREDENTIAL_SECONDS * 2 ** (self._rejected_in_a_row - 1), 900.0)
            if self._secrets and self._secrets[-1] > last.asked - SECRET_SECONDS:
                least = FIRST_CREDENTIAL_SECONDS  # a new value resets the back-off
            if gap < least - 0.1 and not self._wished and not self._excuses.has("stale"):
                self._report(
                    "R-050", now, f"the rejected secret again after {gap:.0f} s instead of {least:.0f} s"
                )

    def _after_mint(self, record: Record, minted: Minted, *, kept_another: bool) -> None:
        now = record["boot"]
        age = now - minted.asked
        if self._wished or record["secret"] != minted.secret or self._excuses.has("stale"):
            return
        least = SCHEDULED_SECONDS if kept_another else max(SCHEDULED_SECONDS, EARLIEST_FRACTION * minted.life)
        if age < least - 0.01:
            self._report("I8", now, f"{age:.1f} s after a mint that lives {minted.life:.0f} s")
        if kept_another or not self._undisturbed or self._excuses.calm_for(now) < age:
            return
        if age > max(SCHEDULED_SECONDS, LATEST_FRACTION * minted.life) + LATE_SECONDS:
            self._report(
                "R-064", now, f"renewed at {age / minted.life:.0%} of the life, and nothing hindered"
            )
        if minted.life >= LOOKED_AT_LIFE_SECONDS:
            self.fractions.append(age / minted.life)

    def _failed(self, now: float, *, rejected: bool) -> None:
        self._bounded(self._failures, now, most=FAILURES_PER_HOUR, what="failures")
        if not rejected:
            return
        recent = _within(self._rejections, now, 600.0, add=True)
        news = sum(at > now - 660.0 for at in self._secrets)
        if len(recent) > REJECTIONS_PER_TEN_MINUTES + 2 * news:
            self._report("R-076", now, f"{len(recent)} failed logins in ten minutes")

    def _bounded(self, times: deque[float], now: float, *, most: int, what: str) -> None:
        recent = _within(times, now, 3600.0, add=True)
        if len(recent) > most:
            self._report("I8", now, f"{len(recent)} {what} in an hour")

    def _overdue_secret(self, now: float) -> None:
        if self._awaited is not None and now > self._awaited[0]:
            self._report("R-074", now, f"no token by a secret that was stored {SECRET_SECONDS:.0f} s ago")
            self._awaited = None


def _within(times: deque[float], now: float, seconds: float, *, add: bool = False) -> deque[float]:
    if add:
        times.append(now)
    while times and times[0] <= now - seconds:
        times.popleft()
    return times
