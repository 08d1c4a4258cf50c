"""What a program's report is worth that an API refused the current token (R-080).

Owns: which reports are believed and how often one leads to a mint. Refuses to know: who may report. A consumer that
screams must not make the broker hammer the authorization server.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from broker.model import Moment, Revision

MINTS_PER_HOUR = 10
SECONDS_BETWEEN_MINTS = 60.0
HOUR_SECONDS = 3600.0

Verdict = Literal["started", "not_current", "too_old", "rate_limited"]


@dataclass(frozen=True, slots=True)
class Rejections:
    """When reports led to mints within the last hour (boot clock), and the last fingerprint that did."""

    honoured: tuple[float, ...] = ()
    fingerprint: str | None = None


def judge(
    rejections: Rejections,
    revision: Revision | None,
    *,
    fingerprint: str,
    requested_at: float | None,
    now: Moment,
) -> tuple[Rejections, Verdict]:
    """Whether a report about `fingerprint`, used in a request at `requested_at` (Unix seconds), leads to a mint.

    Only if that is still the current token, and it was current when the request was made; a time in the future counts
    as now, none too. Ages are compared, so that a stepped clock makes no report too old. The same token is reported
    once: what was said is known, and a mint is under way.
    """
    if revision is None or fingerprint != revision.token.fingerprint or fingerprint == rejections.fingerprint:
        return rejections, "not_current"
    if requested_at is not None and _age(requested_at, now) >= now.boot - revision.token.issued.boot:
        return rejections, "too_old"
    recent = tuple(at for at in rejections.honoured if now.boot - at < HOUR_SECONDS)
    if len(recent) >= MINTS_PER_HOUR or (recent and now.boot - recent[-1] < SECONDS_BETWEEN_MINTS):
        return Rejections(recent, rejections.fingerprint), "rate_limited"
    return Rejections((*recent, now.boot), fingerprint), "started"


def _age(requested_at: float, now: Moment) -> float:
    """The least that it can be, in seconds: times in whole seconds are rounded down."""
    return now.wall - requested_at - 1.0
