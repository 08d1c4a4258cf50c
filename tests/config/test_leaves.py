"""Single values: durations, modes, numbers, URLs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect as types

from broker.config.leaves import LeafFault, Leaves, duration_seconds, url_fault
from broker.config.paths import PathResolver
from tests.config.surroundings import FakeAccounts

LEAVES = Leaves(resolver=PathResolver({}, "/run/token-broker"), accounts=FakeAccounts())


@pytest.mark.parametrize(
    ("raw", "seconds"),
    [
        ("500ms", 0.5),
        ("90s", 90.0),
        ("1.5m", 90.0),
        ("12h", 43_200.0),
        ("30d", 2_592_000.0),
        ("0s", 0.0),
        (90, 90.0),
        (0.25, 0.25),
    ],
)
def test_a_duration_is_text_with_a_unit_or_a_number_of_seconds(raw: str | float, seconds: float) -> None:
    """interface.md 7: `N(ms|s|m|h|d)` or a number."""
    assert seconds == duration_seconds(raw)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "90",
        "s",
        "-1s",
        "1 s",
        "1S",
        "1w",
        "1h30m",
        "1e3s",
        "٣s",
        "90s\n",
        -1,
        float("nan"),
        float("inf"),
        10**400,
        "9999999d",
    ],
)
def test_what_is_no_duration_is_refused(raw: str | float) -> None:
    """Neither sloppy spellings nor numbers that overflow later."""
    with pytest.raises(LeafFault):
        duration_seconds(raw)


@given(st.text() | st.floats() | st.integers())
def test_a_duration_is_finite_and_never_negative(raw: str | float) -> None:
    """Whatever is written, what is accepted can be waited for."""
    try:
        seconds = duration_seconds(raw)
    except LeafFault:
        return
    assert 0 <= seconds <= 3650 * 86_400


@pytest.mark.parametrize(("raw", "mode"), [("0640", 0o640), ("640", 0o640), ("0000", 0), ("0777", 0o777)])
def test_a_mode_is_an_octal_string(raw: str, mode: int) -> None:
    """With or without the zero in front."""
    assert mode == LEAVES.special("mode", raw, bounds=types.IntType(), insecure_loopback=False)


@pytest.mark.parametrize("raw", [0o640, 640, "0680", "64", "4755", "rw-r-----", "0o640", "", None, True])
def test_what_is_no_octal_string_is_no_mode(raw: object) -> None:
    """A number has lost its base on the way here; special bits have no place on a token."""
    with pytest.raises(LeafFault, match="octal string"):
        LEAVES.special("mode", raw, bounds=types.IntType(), insecure_loopback=False)


@pytest.mark.parametrize(
    "url",
    [
        "https://vault.example:8200",
        "https://VAULT.example/path?query=1",
        "https://127.0.0.1:8200",
        "https://[2001:db8::1]/",
        "https://localhost.evil/",
        "https://xn--bcher-kva.example/",
    ],
)
def test_https_is_accepted(url: str) -> None:
    """R-006: TLS decides who a host is."""
    assert url_fault(url, allow_insecure_loopback=False) is None


@pytest.mark.parametrize(
    "url", ["http://localhost:8200", "http://127.0.0.1", "http://127.8.9.1:1", "http://[::1]:1"]
)
def test_plain_http_to_a_loopback_address_needs_its_key(url: str) -> None:
    """R-006: not even loopback by default."""
    assert url_fault(url, allow_insecure_loopback=True) is None
    assert "allow_insecure_loopback" in str(url_fault(url, allow_insecure_loopback=False))


@pytest.mark.parametrize(
    "url",
    [
        "http://vault.example",
        "http://localhost.evil/",
        "http://localhost./",
        "http://127.0.0.1.nip.io/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f.0.0.1/",
        "http://0.0.0.0/",
        "http://[::1%25lo]/",
        "http://[::]/",
        "http://127.0.0.1@vault.example/",
        "http://user:pw@127.0.0.1/",
        "https://user@vault.example/",
        "https://@vault.example/",
        "https://vault.example/#fragment",
        "https://bücher.example/",
        "https://vault.example\\@evil.example/",
        "https://vault.example /",
        "https://vault.example\n/",
        "\thttps://vault.example/",
        "https://vault.example:0/",
        "https://vault.example:99999/",
        "https://vault.example:x/",
        "https://[vault.example/",
        "https:///path",
        "https:vault.example",
        "//vault.example",
        "vault.example",
        "ftp://vault.example",
        "file:///etc/passwd",
        "",
    ],
)
def test_every_other_url_is_refused(url: str) -> None:
    """R-006: the table of tricks, with loopback allowed."""
    assert url_fault(url, allow_insecure_loopback=True) is not None
