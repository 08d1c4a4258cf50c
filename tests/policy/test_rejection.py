"""Reports of refused tokens: believed when they can be true, and never a way to make the broker mint in a loop."""

from __future__ import annotations

import itertools

from broker.model import AccessToken, Moment, Revision, Secret
from broker.policy.rejection import Rejections, judge

ISSUED = Moment(1_700_000_000.0, 100.0)


def revision(number: int, at: Moment = ISSUED) -> Revision:
    """The current revision, minted at `at`."""
    token = AccessToken(value=Secret(f"S3CR3T-{number}"), expires_in=43_200, issued=at)
    return Revision(number=number, token=token, jitter=0.0)


def later(seconds: float) -> Moment:
    """So many seconds after the mint."""
    return Moment(ISSUED.wall + seconds, ISSUED.boot + seconds)


def test_report_about_the_current_token_leads_to_a_mint_once() -> None:
    """R-080: the same fingerprint again is known already."""
    current = revision(1)
    fingerprint, requested_at = current.token.fingerprint, later(50).wall
    rejections, verdict = judge(
        Rejections(), current, fingerprint=fingerprint, requested_at=requested_at, now=later(51)
    )
    assert verdict == "started"
    assert (
        judge(rejections, current, fingerprint=fingerprint, requested_at=requested_at, now=later(500))[1]
        == "not_current"
    )


def test_report_about_another_token_is_not_current() -> None:
    """R-080: by the time the report arrives the token has been renewed."""
    fingerprint, requested_at = revision(1).token.fingerprint, later(50).wall
    assert (
        judge(Rejections(), revision(2), fingerprint=fingerprint, requested_at=requested_at, now=later(51))[1]
        == "not_current"
    )


def test_request_older_than_the_token_is_too_old() -> None:
    """R-080: what was refused cannot have been this token."""
    fingerprint, requested_at = revision(1).token.fingerprint, ISSUED.wall - 1
    assert (
        judge(Rejections(), revision(1), fingerprint=fingerprint, requested_at=requested_at, now=later(51))[1]
        == "too_old"
    )


def test_request_in_the_second_of_the_mint_is_believed() -> None:
    """R-080: its time was rounded down, and so lies before the mint."""
    current = revision(1, Moment(ISSUED.wall + 0.9, ISSUED.boot + 0.9))
    assert (
        judge(
            Rejections(),
            current,
            fingerprint=current.token.fingerprint,
            requested_at=ISSUED.wall,
            now=later(0.95),
        )[1]
        == "started"
    )


def test_clock_that_was_put_back_makes_no_report_too_old() -> None:
    """F-42: the token seems to be of tomorrow then."""
    now = Moment(ISSUED.wall - 86_400, ISSUED.boot + 50)
    fingerprint = revision(1).token.fingerprint
    assert (
        judge(Rejections(), revision(1), fingerprint=fingerprint, requested_at=now.wall - 1, now=now)[1]
        == "started"
    )


def test_request_from_the_future_counts_as_now() -> None:
    """A consumer's clock may be ahead."""
    fingerprint, requested_at = revision(1).token.fingerprint, ISSUED.wall + 1e9
    assert (
        judge(Rejections(), revision(1), fingerprint=fingerprint, requested_at=requested_at, now=later(51))[1]
        == "started"
    )


def test_a_hundred_thousand_reports_cost_ten_mints_an_hour() -> None:
    """F-20, R-080: every token is reported as soon as it is there, for an hour."""
    rejections, started, number = Rejections(), [], 1
    for tick in range(100_000):
        now = later(tick * 0.036)
        current = revision(number)
        rejections, verdict = judge(
            rejections, current, fingerprint=current.token.fingerprint, requested_at=None, now=now
        )
        if verdict == "started":
            started.append(now.boot)
            number += 1
    assert len(started) == 10
    assert min(b - a for a, b in itertools.pairwise(started)) >= 60.0
