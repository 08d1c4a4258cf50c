"""Why a token may be late: the disturbances that concern it.

Owns: which kinds of fault excuse a missing renewal, and for how long after their end. Refuses to know: what is read or
asked. A secret backend that is away excuses nothing by itself, since the last good secret serves; it does when the
process that knew it has ended, or when the secret changed meanwhile. Nor do metadata that nobody may use, since the
last good ones serve; they do in a process that never had any, because it took its tokens over and asked for none.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.simulation.history import Record

EXCUSING_LAG_SECONDS = {
    "network": 60.0,  # an attempt under way runs into its deadline
    "pause": 960.0,  # fifteen minutes of Retry-After at most, and its spread
    "credential": 960.0,  # the longest back-off after a rejection
    "machine": 10.0,  # a suspension is noticed within four seconds
    "restart": 5.0,
    "caching": 60.0,
}
"""What a server, a client or the machine does. Other natures excuse nothing: lifetimes, stale."""

BACKEND_LAG_SECONDS = 420.0
CREDENTIAL_MEMORY_SECONDS = 960.0


@dataclass(slots=True)
class _Fault:
    nature: str
    since: float | None
    """From when on it excuses; None while it does not."""


class Excuses:
    """The disturbances of one token, on the boot clock."""

    def __init__(self) -> None:
        self._active: dict[int, _Fault] = {}
        self._over: list[tuple[float, float]] = []
        self._ended = float("-inf")
        self.has_metadata = False
        """Whether this process has asked the token endpoint, for this token or another one of its server."""
        self._credential_until = float("-inf")
        self.machine_ended = float("-inf")
        self.stale_ended = float("-inf")

    def fault(self, record: Record) -> None:
        """A fault begins or ends."""
        now, nature = record["boot"], record["nature"]
        if record["phase"] == "begin":
            self._begin(record["id"], nature, now)
            return
        fault = self._active.pop(record["id"])
        if nature == "credential":
            self._credential_until = now + CREDENTIAL_MEMORY_SECONDS
        if nature == "machine":
            self.machine_ended = now
        if nature == "stale":
            self.stale_ended = now
        if fault.since is not None:
            lag = EXCUSING_LAG_SECONDS.get(nature, BACKEND_LAG_SECONDS)
            self._over.append((fault.since, now + lag))
            self._ended = now

    def started(self, now: float) -> None:
        """A process began that knows no secret and no metadata yet."""
        self.has_metadata = False
        self._excuse_from(now, "backend", "metadata")
        self._ended = max(self._ended, now)

    def calm_for(self, now: float) -> float:
        """Seconds since the last excuse."""
        if any(fault.since is not None for fault in self._active.values()):
            return 0.0
        return now - self._ended

    def has(self, *natures: str) -> bool:
        """Whether one of these is going on."""
        return any(fault.nature in natures for fault in self._active.values())

    def seconds_within(self, begin: float, end: float) -> float:
        """How much of this time is excused."""
        total, reached = 0.0, begin
        active = [(fault.since, end) for fault in self._active.values() if fault.since is not None]
        for since, until in sorted([*self._over, *active]):
            if min(until, end) > max(since, reached):
                total += min(until, end) - max(since, reached)
                reached = min(until, end)
        return total

    def _begin(self, number: int, nature: str, now: float) -> None:
        since: float | None = now if nature in EXCUSING_LAG_SECONDS else None
        if nature == "backend" and (self.has("credential") or now < self._credential_until):
            since = now
        if nature == "metadata" and not self.has_metadata:
            since = now
        if nature == "credential":
            self._excuse_from(now, "backend")
        self._active[number] = _Fault(nature, since)

    def _excuse_from(self, now: float, *natures: str) -> None:
        for fault in self._active.values():
            if fault.nature in natures and fault.since is None:
                fault.since = now
