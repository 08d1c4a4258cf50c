"""Events as log records: which are worth a line, at which level, and how often.

Owns: the words, and the limit of one line a minute for what repeats (R-172); the lines that were left out are
counted in the next one. Refuses to know: formats, streams. An event's fields become the record's fields.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import fields
from typing import Any, Final, NamedTuple

from broker import events
from broker.errors import Condition
from broker.telemetry.denials import Denials

log = logging.getLogger(__name__)

SAME_AGAIN_AFTER_SECONDS: Final = 60.0
_SKEW_WORTH_A_LINE_SECONDS: Final = 30.0
_LATENESS_WORTH_A_LINE_SECONDS: Final = 1.0
_NEEDS_A_PERSON: Final[frozenset[Condition]] = frozenset(
    {"credential_rejected", "awaiting_secret", "backend_denied", "secret_missing", "misconfigured"}
)


class _Line(NamedTuple):
    level: int
    message: str
    repeats: Hashable = None
    """What it repeats: of one key there is one line a minute."""


class LogObserver:
    """Implements `broker.ports.Observer`. `clock` answers seconds that never step."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last: dict[Hashable, tuple[float, int]] = {}
        self._published: set[tuple[str, str]] = set()
        self._denials = Denials()

    def __call__(self, event: events.Event, /) -> None:
        if isinstance(event, events.SocketDenied | events.HeartBeat):
            self._tell_denials(event)
        describe = _DESCRIPTIONS.get(type(event))
        if describe is None:
            return
        line = describe(event)
        if line is None:
            return
        level = line.level
        if isinstance(event, events.Published) and event.outcome == "success":
            level = self._level_of_publication(event)
        if not log.isEnabledFor(level):
            return
        suppressed = self._suppressed(type(event), line.repeats)
        if suppressed is not None:
            self._write(event, level, line.message, suppressed=suppressed)

    def _write(self, event: events.Event, level: int, message: str, *, suppressed: int = 0) -> None:
        extra = {field.name: getattr(event, field.name) for field in fields(event) if field.name != "message"}
        log.log(
            level,
            "%s",
            message,
            extra={"event": _name(type(event)), **extra, "suppressed": suppressed or None},
        )

    def _tell_denials(self, event: events.SocketDenied | events.HeartBeat) -> None:
        """The beat tells sums of denials that nobody adds to any more."""
        now = self._clock()
        with self._lock:
            told = (
                self._denials.add(event, now)
                if isinstance(event, events.SocketDenied)
                else self._denials.due(now)
            )
        for denied, message in told:
            self._write(denied, logging.WARNING, message)

    def _suppressed(self, kind: type, repeats: Hashable) -> int | None:
        """How many lines like this one were left out before it; None if it is to be left out as well."""
        if repeats is None:
            return 0
        now, key = self._clock(), (kind, repeats)
        with self._lock:
            last, left_out = self._last.get(key, (float("-inf"), 0))
            if now - last < SAME_AGAIN_AFTER_SECONDS:
                self._last[key] = (last, left_out + 1)
                return None
            self._last[key] = (now, 0)
            return left_out

    def _level_of_publication(self, event: events.Published) -> int:
        """The first one of each target is news."""
        key = (event.token, event.target)
        with self._lock:
            known = key in self._published
            self._published.add(key)
        return logging.DEBUG if known else logging.INFO


def _name(kind: type) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


def _mint_succeeded(event: events.MintSucceeded) -> _Line:
    note = f"; {event.degraded}" if event.degraded else ""
    level = logging.WARNING if event.degraded else logging.INFO
    return _Line(level, f"minted revision {event.revision}, good for {event.expires_in} s{note}")


def _mint_failed(event: events.MintFailed) -> _Line:
    again = f"next attempt in {event.next_attempt_seconds:.0f} s"
    return _Line(logging.WARNING, f"{event.message} ({again})", event.token)


def _state_changed(event: events.StateChanged) -> _Line:
    level = logging.INFO
    if event.condition in _NEEDS_A_PERSON:
        level = logging.WARNING
    if event.state == "expired":
        level = logging.ERROR
    return _Line(level, f"{event.state}, {event.condition}: {event.reason}")


def _secret_fetched(event: events.SecretFetched) -> _Line:
    if event.outcome == "success":
        return _Line(logging.DEBUG, "the secret backend answered")
    return _Line(logging.WARNING, event.message or "the secret backend failed", event.backend)


def _backend_login(event: events.BackendLogin) -> _Line:
    if event.outcome == "success":
        return _Line(logging.INFO, f"logged in by {event.method}", event.backend)
    return _Line(
        logging.WARNING, event.message or f"login by {event.method} failed", (event.backend, "failure")
    )


def _workers_stuck(event: events.WorkersStuck) -> _Line:
    if not event.count:
        return _Line(logging.INFO, f"{event.pool}: no call hangs any more")
    return _Line(
        logging.WARNING, f"{event.pool}: {event.count} calls were given up on and still hang", event.pool
    )


def _published(event: events.Published) -> _Line:
    if event.outcome == "success":
        return _Line(logging.INFO, f"published revision {event.revision} to {event.target}")
    return _Line(
        logging.WARNING, event.message or f"cannot publish to {event.target}", (event.token, event.target)
    )


def _hook_ran(event: events.HookRan) -> _Line:
    if event.outcome == "success":
        return _Line(logging.INFO, f"told of revision {event.revision} in {event.target}")
    message = event.message or f"nobody could be told of revision {event.revision} in {event.target}"
    return _Line(logging.WARNING, message, (event.token, event.target))


def _clock_skew_measured(event: events.ClockSkewMeasured) -> _Line:
    serious = abs(event.seconds) > _SKEW_WORTH_A_LINE_SECONDS
    ahead = "behind" if event.seconds > 0 else "ahead of"
    words = f"our clock is {abs(event.seconds):.0f} s {ahead} the authorization server's: synchronise it"
    return _Line(logging.WARNING if serious else logging.DEBUG, words, event.authorization_server)


def _heart_beat(event: events.HeartBeat) -> _Line | None:
    if event.suspended_seconds:
        return _Line(logging.INFO, f"the machine was suspended for {event.suspended_seconds:.0f} s")
    if event.late_seconds > _LATENESS_WORTH_A_LINE_SECONDS:
        words = f"the event loop is {event.late_seconds:.1f} s late: the process was stopped or has too little CPU"
        return _Line(logging.WARNING, words, "late")
    return None


def _life_cycle(event: events.LifeCycle) -> _Line:
    if event.phase in {"warning", "degraded"}:
        return _Line(logging.WARNING, event.message, event.message)
    return _Line(logging.INFO, event.message)


_DESCRIPTIONS: Final[dict[type, Callable[[Any], _Line | None]]] = {
    events.MintSucceeded: _mint_succeeded,
    events.MintFailed: _mint_failed,
    events.RenewalPlanned: lambda event: _Line(logging.DEBUG, f"renewal planned: {event.reason}"),
    events.StateChanged: _state_changed,
    events.SecretFetched: _secret_fetched,
    events.SecretRotated: lambda _: _Line(logging.INFO, "the client secret has a new version"),
    events.ClientSecretExpiryKnown: lambda _: _Line(logging.DEBUG, "the client secret expires"),
    events.BackendLogin: _backend_login,
    events.WorkersStuck: _workers_stuck,
    events.Published: _published,
    events.HookRan: _hook_ran,
    events.TokenRejected: lambda event: _Line(
        logging.INFO, f"an API refused the token: {event.outcome}", event.token
    ),
    events.ClockSkewMeasured: _clock_skew_measured,
    events.ConfigReloaded: lambda event: _Line(
        logging.INFO if event.outcome == "success" else logging.ERROR, event.message
    ),
    events.TokenRemoved: lambda _: _Line(logging.INFO, "no longer configured"),
    events.HeartBeat: _heart_beat,
    events.LifeCycle: _life_cycle,
}
"""SocketServed is missing on purpose: requests are counted, not told. SocketDenied is added up by `denials`."""
