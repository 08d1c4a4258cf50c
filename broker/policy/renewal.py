"""When a managed token is renewed, and which state it is in.

Owns: the renewal point, the floor under scheduled renewals, the meaning of fresh and stale. Refuses to know: clocks and
randomness; the jitter was drawn once, when the revision was taken, because a jitter drawn at each look collapses to
"as early as possible".
"""

from __future__ import annotations

from dataclasses import dataclass

from broker.model import AccessToken, Moment, Revision, TokenState

JITTER_FRACTION = 0.1
MINIMUM_INTERVAL_SECONDS = 10.0
LATEST_FRACTION = 0.95
OVERDUE_FRACTION = 0.1
OVERDUE_SECONDS = 30.0
KEPT_CAP_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class RenewalPlan:
    """Renew at `due` (both clocks), because of `reason`."""

    due: Moment
    reason: str


def plan(
    revision: Revision | None, *, renew_at: float, now: Moment, not_before_boot: float = 0.0
) -> RenewalPlan:
    """The renewal point of the current revision: `renew_at` of the whole `expires_in`, give or take its jitter.

    Never closer than 10 s to the mint (R-042), never before `not_before_boot`, and never so late that the token would
    expire while it is renewed. A token that is absent or expired is due now.
    """
    if revision is None:
        return RenewalPlan(now, "there is no token yet")
    token = revision.token
    if token.remaining_seconds(now) <= 0:
        return RenewalPlan(now, "the token has expired")
    fraction = renew_at + JITTER_FRACTION * revision.jitter
    after = min(token.expires_in * fraction, token.usable_seconds * LATEST_FRACTION)
    after = max(after, MINIMUM_INTERVAL_SECONDS, not_before_boot - token.issued.boot)
    due = Moment(token.issued.wall + after, token.issued.boot + after)
    return RenewalPlan(due, f"{after / token.expires_in:.0%} of the lifetime of {token.expires_in} s")


def state(revision: Revision | None, *, due: Moment, failures: int, now: Moment) -> TokenState:
    """`stale` means valid, but its renewal failed or is overdue (`due` is the planned renewal)."""
    if revision is None:
        return "absent"
    if revision.token.remaining_seconds(now) <= 0:
        return "expired"
    grace = min(OVERDUE_SECONDS, OVERDUE_FRACTION * revision.token.expires_in)
    return "stale" if failures or now.boot > due.boot + grace else "fresh"


def replaces(new: AccessToken, current: AccessToken, *, outdated: bool, now: Moment) -> bool:
    """Whether a minted token is worth publishing over the current one.

    A server that caches hands out the same token again (R-043), and one whose lifetimes were shortened hands out one
    that ends sooner: neither replaces a valid token. Another one does if another version of the client secret bought
    it, or if the current one is `outdated` (R-073).
    """
    if new.remaining_seconds(now) > current.remaining_seconds(now) or current.remaining_seconds(now) <= 0:
        return True
    return new.value != current.value and (outdated or new.secret_version != current.secret_version)


def kept_for_seconds(current: AccessToken, *, now: Moment) -> float:
    """How long to leave the server alone after a mint that did not replace the current token (F-60)."""
    quarter = current.remaining_seconds(now) / 4
    return min(max(quarter, MINIMUM_INTERVAL_SECONDS), KEPT_CAP_SECONDS)
