"""JSON that `json.loads` takes and the broker does not."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import ProtocolError
from broker.oauth.strict_json import DEEPEST_NESTING, loads_object

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", "is not valid JSON"),
        (b"S3CR3T", "is not valid JSON"),
        (b'{"a":"S3CR3T"', "is not valid JSON"),
        (b'{"a":1} S3CR3T', "is not valid JSON"),
        (b'{"a":"S3CR3T\n"}', "is not valid JSON"),
        (b'\xef\xbb\xbf{"a":1}', "is not valid JSON"),
        ('{"a":1}'.encode("utf-16"), "is not UTF-8 text"),
        ('{"a":1}'.encode("utf-16-be"), "is not valid JSON"),
        (b'{"a":"\xff"}', "is not UTF-8 text"),
        (b'["S3CR3T"]', "is not a JSON object"),
        (b'"S3CR3T"', "is not a JSON object"),
        (b"null", "is not a JSON object"),
        (b'{"a":1,"a":2}', "gives a JSON member twice"),
        (b'{"b":{"a":1,"\\u0061":2}}', "gives a JSON member twice"),
        (b'{"a":NaN}', "holds NaN or Infinity, which JSON has not"),
        (b'{"a":-Infinity}', "holds NaN or Infinity, which JSON has not"),
        (b'{"a":1e400}', "holds a number out of range"),
        (b'{"a":-1e400}', "holds a number out of range"),
        (b'{"a":' + b"9" * 41 + b"}", "holds a number with too many digits"),
        (b'{"a":' + b"9" * 5000 + b"}", "holds a number with too many digits"),
        (b'{"a":0.' + b"9" * 41 + b"}", "holds a number with too many digits"),
        (b'{"a":"\\ud800"}', "holds a lone surrogate"),
        (b'{"\\udc00":1}', "holds a lone surrogate"),
        (b'{"a":[{"b":["\\ud800"]}]}', "holds a lone surrogate"),
        (b'{"a":' + b"[" * 32 + b"]" * 32 + b"}", "is nested too deeply"),
        (b"[" * 200_000, "is nested too deeply"),
        (b'{"a":' * 200_000, "is nested too deeply"),
    ],
)
def test_refused(body: bytes, fault: str) -> None:
    """R-036, R-017: each with its reason, and with nothing of the body, not even behind the error."""
    with pytest.raises(ProtocolError) as caught:
        loads_object(body, what="the answer")
    assert f"the answer {fault}" == str(caught.value)
    assert (None, None) == (caught.value.__cause__, caught.value.__context__)


def test_the_deepest_nesting_is_taken() -> None:
    """R-017: the limit itself is allowed."""
    body = b'{"a":' + b"[" * (DEEPEST_NESTING - 1) + b"]" * (DEEPEST_NESTING - 1) + b"}"
    assert ["a"] == list(loads_object(body))


def test_a_surrogate_pair_is_text() -> None:
    """Two escapes that make one character are no lone surrogates."""
    assert {"a": "\N{GRINNING FACE}"} == loads_object(b'{"a":"\\ud83d\\ude00"}')


@given(st.dictionaries(st.text(), JSON))
def test_plain_json_is_read_as_json_reads_it(value: dict[str, object]) -> None:
    """Whatever a proper encoder writes comes back the same."""
    assert value == loads_object(json.dumps(value).encode())


@given(st.binary() | st.text().map(str.encode) | st.builds(lambda b: b'{"a":' + b + b"}", st.binary()))
def test_no_input_raises_anything_else(body: bytes) -> None:
    """R-036: an object, or ProtocolError."""
    try:
        assert isinstance(loads_object(body), dict)
    except ProtocolError as error:
        assert "malformed_json" == error.code  # noqa: PT017 - either outcome is right
