"""A successful answer, member by member."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import BrokerError, ProtocolError, RequestRejected
from broker.model import AccessToken, Secret
from tests.oauth.answers import ISSUED, TOKEN, answer, good, parse, refusal


def test_a_proper_answer() -> None:
    """RFC 6749 5.1: value, life, type, the moment before sending (R-041), the secret's version."""
    expected = AccessToken(value=Secret(TOKEN), expires_in=300, issued=ISSUED, secret_version="7")
    assert expected == parse(answer(good()))


@pytest.mark.parametrize(
    "value",
    [
        "",
        "short12",
        "x" * 16_385,
        12345678,
        True,
        ["S3CR3T-token"],
        "S3CR3T-a\r\nX: y",
        "S3CR3T-token\n",
        "S3CR3T-tok en",
        "S3CR3T-tok\0en",
        "S3CR3T-tok\u00e9n",
        "S3CR3T=token",
        "========",
        "S3CR3T-token\ud800",
    ],
)
def test_access_token_alphabet_and_length(value: object) -> None:
    """R-037: b64token of 8 to 16384 characters, or nothing."""
    refusal(ProtocolError, answer(json.dumps(good() | {"access_token": value}).encode()))


@pytest.mark.parametrize("value", ["x" * 8, "x" * 16_384, "S3CR3T-._~+/9==", "eyJ0.eyJh.S3CR3T-_"])
def test_access_token_taken(value: str) -> None:
    """R-037: the limits, the whole alphabet, a JWT."""
    assert value == parse(answer(good(access_token=value))).value.reveal()


@pytest.mark.parametrize("value", ["Bearer", "bearer", "BEARER"])
def test_token_type_in_any_case(value: str) -> None:
    """R-038: compared without case, kept as Bearer."""
    assert "Bearer" == parse(answer(good(token_type=value))).token_type


@pytest.mark.parametrize("value", ["DPoP", "mac", "", "Bearer ", "N_A", 1, None])
def test_token_type_refused(value: object) -> None:
    """R-038: another type, or none."""
    assert "token_type" == refusal(ProtocolError, answer(good(token_type=value))).code


@pytest.mark.parametrize(
    ("raw", "seconds"),
    [
        ("1", 1),
        ("43200", 43_200),
        ("31536000", 31_536_000),
        ("3600.0", 3600),
        ("1e3", 1000),
        ('"3600"', 3600),
        ('"0060"', 60),
    ],
)
def test_expires_in_taken(raw: str, seconds: int) -> None:
    """R-039: whole numbers of seconds in any spelling."""
    assert seconds == parse(_expiring(raw)).expires_in


@pytest.mark.parametrize(
    "raw",
    [
        "0", "-5", "31536001", "0.5", "3600.5", "true", "false", "[]", "{}", '""', '"-5"', '"1_000"',
        '"\\u0661\\u0662\\u0660"', '" 60"', '"60 "', '"60\\n"', '"+60"',
        '"6e1"', '"60.0"', '"99999999999"', '"S3CR3T"',
    ],
)  # fmt: skip
def test_expires_in_refused(raw: str) -> None:
    """R-039, F-10: everything that int() would have guessed at, and everything out of range."""
    assert "expires_in" == refusal(ProtocolError, _expiring(raw), default_lifetime_seconds=60.0).code


@pytest.mark.parametrize("raw", ["NaN", "Infinity", "1e400"])
def test_expires_in_that_is_no_json(raw: str) -> None:
    """R-039: refused with the whole answer."""
    assert "malformed_json" == refusal(ProtocolError, _expiring(raw)).code


@pytest.mark.parametrize("members", [good(expires_in=None), good() | {"expires_in": None}])
def test_expires_in_missing(members: dict[str, Any]) -> None:
    """R-040: default_lifetime, or an error that names it; never for ever."""
    assert 90 == parse(answer(members), default_lifetime_seconds=90.0).expires_in
    assert "default_lifetime" in refusal(ProtocolError, answer(members)).message


def test_expires_in_wins_over_the_default() -> None:
    """R-040: the default is for answers without."""
    assert 300 == parse(answer(good()), default_lifetime_seconds=90.0).expires_in


@pytest.mark.parametrize(
    ("requested", "granted", "kept"),
    [
        ((), None, None),
        (("a", "b"), None, ("a", "b")),
        (("a", "b"), "b a", ("b", "a")),
        (("a",), "c a b a", ("c", "a", "b")),
        ((), "a", ("a",)),
        ((), "", ()),
        (("https://api.example/x:y",), "https://api.example/x:y", ("https://api.example/x:y",)),
    ],
)
def test_scope_granted(requested: tuple[str, ...], granted: str | None, kept: tuple[str, ...] | None) -> None:
    """R-044: absent means as requested; order and duplicates do not matter; more than asked for is fine."""
    assert kept == parse(answer(good(scope=granted)), scope=requested).scope


def test_scope_not_granted() -> None:
    """R-044: a configured scope is missing: configuration, and the message names it, not the granted ones."""
    error = refusal(RequestRejected, answer(good(scope="a S3CR3T-x")), scope=("a", "b", "c"))
    assert ("invalid_scope", "configuration") == (error.code, error.error_class)
    assert "the configured scope b, c" in error.message


@pytest.mark.parametrize("scope", [1, ["a"], "a\nb", 'a"b', "a\\b", "\u00e9"])
def test_scope_that_is_none(scope: object) -> None:
    """RFC 6749 3.3: not a list of scope names."""
    assert "scope" == refusal(ProtocolError, answer(good(scope=scope))).code


def test_a_refresh_token_is_dropped() -> None:
    """R-046: nothing of it is kept."""
    assert parse(answer(good())) == parse(answer(good(refresh_token="S3CR3T-r", refresh_expires_in=0)))


def test_a_jwt_is_not_opened() -> None:
    """R-047: a token that says it expired long ago lives as long as expires_in says."""
    expired = "eyJhbGciOiJub25lIn0.eyJleHAiOjF9.S3CR3T"
    assert 300 == parse(answer(good(access_token=expired))).expires_in


@given(
    st.dictionaries(
        st.sampled_from(["access_token", "token_type", "expires_in", "scope", "error", "x"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text()
        | st.just("Bearer")
        | st.just(TOKEN),
    )
)
def test_no_answer_raises_anything_else(members: dict[str, Any]) -> None:
    """Any object is a token or an error of ours; a token is fit for a header."""
    try:
        token = parse(answer(members))
    except BrokerError:
        return
    assert token.value.reveal().isascii()
    assert 1 <= token.expires_in <= 31_536_000


def _expiring(raw: str) -> Any:
    body = f'{{"access_token":"{TOKEN}","token_type":"Bearer","expires_in":{raw}}}'
    return answer(body.encode())
