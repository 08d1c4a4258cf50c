"""Problem documents as exceptions."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.client.errors import (
    AccessDenied,
    RequestInvalid,
    TokenClientError,
    TokenUnavailable,
    TryAgainLater,
    UnexpectedAnswer,
    from_problem,
)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (403, "denied", AccessDenied),
        (400, "invalid_request", RequestInvalid),
        (404, "not_found", UnexpectedAnswer),
        (405, "method_not_allowed", UnexpectedAnswer),
        (429, "rate_limited", TryAgainLater),
        (503, "unreachable", TryAgainLater),
        (503, "throttled", TryAgainLater),
        (503, "starting", TryAgainLater),
        (503, "awaiting_secret", TryAgainLater),
        (503, "min_valid", TryAgainLater),
        (503, "expired", TokenUnavailable),
        (503, "credential_rejected", TokenUnavailable),
        (503, "misconfigured", TokenUnavailable),
        (503, "a_code_of_a_later_release", TryAgainLater),
        (500, "a_code_of_a_later_release", UnexpectedAnswer),
    ],
)
def test_a_code_is_told_by_what_the_caller_can_do(
    status: int, code: str, expected: type[TokenClientError]
) -> None:
    """The classes are those of the exit codes in docs/interface.md 7."""
    body = json.dumps({"code": code, "detail": "What.", "help": "Fix.", "retry_after": 7}).encode()
    error = from_problem(status, body)
    assert expected is type(error)
    assert ("What. Fix.", code, 7.0) == (str(error), error.code, error.retry_after)


@given(
    st.integers(100, 999),
    st.one_of(
        st.binary(),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(st.sampled_from(["code", "detail", "help", "retry_after"]), inner)
            ),
        ).map(lambda document: json.dumps(document).encode()),
    ),
)
def test_no_body_is_too_odd_to_become_an_error(status: int, body: bytes) -> None:
    """Whatever a stranger at the socket answers, the caller gets one printable line."""
    assert str(from_problem(status, body)).isprintable()
