"""How long a server asks for a pause."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.oauth import retry_after

NOW = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("60", 60.0),
        (" 60 ", 60.0),
        ("1.5", 1.5),
        ("0", 1.0),
        ("-1", 1.0),
        ("1000000000", 900.0),
        ("99999999999999999999999999", 1.0),
        ("1e9", 1.0),
        ("soon", 1.0),
        ("", 1.0),
        ("\u0661\u0662", 1.0),
        ("60, 60", 1.0),
        ("Sun, 06 Nov 1994 08:50:37 GMT", 60.0),
        ("Sunday, 06-Nov-94 08:50:37 GMT", 60.0),
        ("Sun Nov  6 08:50:37 1994", 60.0),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 1.0),
        ("Mon, 07 Nov 1994 08:49:37 GMT", 900.0),
        ("Sun, 99 Nov 1994 08:49:37 GMT", 1.0),
    ],
)
def test_retry_after(value: str, seconds: float) -> None:
    """R-054, F-05: seconds or an HTTP-date in its three spellings, at least 1 s, at most 15 min."""
    assert seconds == retry_after.seconds({"retry-after": value}, wall_now=NOW)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("30", 30.0), ("0", 1.0), ("784111837", 900.0), ("1700000060", 60.0), ("1600000000", 1.0), ("x", 1.0)],
)
def test_ratelimit_reset(value: str, seconds: float) -> None:
    """R-054: a number of seconds, or Unix time from 2001 on."""
    assert seconds == retry_after.seconds({"x-ratelimit-reset": value}, wall_now=1_700_000_000.0)


def test_nothing_asked() -> None:
    """Neither header: the caller's own back-off."""
    assert None is retry_after.seconds({"date": "x"}, wall_now=NOW)


def test_retry_after_comes_first() -> None:
    """The standard header wins over the vendor's."""
    assert 7.0 == retry_after.seconds({"x-ratelimit-reset": "30", "retry-after": "7"}, wall_now=NOW)


@pytest.mark.parametrize("skew", [-3600.0, 0.0, 3600.0])
def test_the_servers_date_is_its_own_clock(skew: float) -> None:
    """R-054: a date is counted from the answer's Date, so our clock may be wrong."""
    headers = {"date": "Sun, 06 Nov 1994 08:49:37 GMT", "retry-after": "Sun, 06 Nov 1994 08:50:07 GMT"}
    assert 30.0 == retry_after.seconds(headers, wall_now=NOW + skew)


def test_without_any_clock() -> None:
    """A date that nothing can be compared with counts as the shortest pause."""
    headers = {"retry-after": "Sun, 06 Nov 1994 08:50:07 GMT"}
    assert 1.0 == retry_after.seconds(headers, wall_now=None)


@given(
    st.dictionaries(st.sampled_from(["retry-after", "x-ratelimit-reset", "date"]), st.text()),
    st.floats(0, 2**40),
)
def test_any_header_gives_a_bounded_pause(headers: dict[str, str], now: float) -> None:
    """R-054: whatever is sent, None or a pause within the bounds."""
    pause = retry_after.seconds(headers, wall_now=now)
    assert pause is None or 1.0 <= pause <= 900.0


@given(st.from_regex(r"[A-Z][a-z]{2}, [0-9]{1,6} [A-Z][a-z]{2} [0-9]{1,9} [0-9:]{1,9} [A-Z+0-9-]{1,6}"))
def test_any_date_is_read_or_not(text: str) -> None:
    """Dates out of range are no dates."""
    assert isinstance(retry_after.http_date(text), float | None)
