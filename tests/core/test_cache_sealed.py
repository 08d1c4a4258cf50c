"""The form at rest: what RFC 7516 says, and nothing that anybody else could have written is opened."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from broker.core.cache import key as cache_key
from broker.core.cache import sealed
from broker.core.cache.refusals import EntryRefused
from broker.model import Secret
from tests.canary import assert_silent

KEY = Secret(b"S3CR3T-".ljust(32, b"k"))
PLAIN = b'{"access_token":"token-S3CR3T-1"}'
ID = "0f" * 32
SEALED = sealed.seal(PLAIN, key=KEY, identity=ID)


def encoded(part: bytes) -> bytes:
    """base64url without padding."""
    return base64.urlsafe_b64encode(part).rstrip(b"=")


def decoded(part: bytes) -> bytes:
    """The bytes again."""
    return base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))


def forged(header: object, *, key: Secret = KEY) -> bytes:
    """A JWE by another implementation, with any header: AES-GCM as RFC 7516 5.1 applies it."""
    protected = encoded(json.dumps(header, separators=(",", ":")).encode())
    iv = os.urandom(12)
    text = AESGCM(key.reveal_bytes()).encrypt(iv, PLAIN, protected)
    return b".".join([protected, b"", encoded(iv), encoded(text[:-16]), encoded(text[-16:])])


HEADER: dict[str, Any] = {"alg": "dir", "enc": "A256GCM", "v": 1, "id": ID}


def test_another_implementation_opens_what_was_sealed() -> None:
    """RFC 7516 5.2, by hand."""
    protected, _, iv, text, tag = SEALED.split(b".")
    assert HEADER == json.loads(decoded(protected))
    opened = AESGCM(KEY.reveal_bytes()).decrypt(decoded(iv), decoded(text) + decoded(tag), protected)
    assert PLAIN == opened


def test_what_another_implementation_sealed_is_opened() -> None:
    """The form is the contract, not the library."""
    assert PLAIN == sealed.unseal(forged(HEADER), key=KEY, identity=ID)


def test_no_two_seals_are_alike() -> None:
    """A repeated initialisation vector would give the key away."""
    assert 100 == len({sealed.seal(PLAIN, key=KEY, identity=ID).split(b".")[2] for _ in range(100)})


def test_nothing_of_the_token_shows() -> None:
    """Neither as it is nor encoded."""
    assert b"S3CR3T" not in SEALED
    assert b"S3CR3T" not in b"".join(decoded(part) for part in SEALED.split(b"."))


def test_largest_token_can_be_kept() -> None:
    """16 KiB of token with everything around it."""
    large = os.urandom(20_000).hex().encode()
    assert large == sealed.unseal(sealed.seal(large, key=KEY, identity=ID), key=KEY, identity=ID)
    assert len(sealed.seal(large, key=KEY, identity=ID)) <= sealed.LONGEST_BYTES


FOREIGN = {
    "without its end": (SEALED[:-1], "truncated"),
    "with a newline": (SEALED + b"\n", "truncated"),
    "empty": (b"", "truncated"),
    "zeros": (b"\0" * 100, "truncated"),
    "too long": (SEALED + b"A" * sealed.LONGEST_BYTES, "truncated"),
    "later format": (forged(HEADER | {"v": 2}), "another format"),
    "format true": (forged(HEADER | {"v": True}), "another program"),
    "no format": (forged({"alg": "dir", "enc": "A256GCM"}), "another program"),
    "other token": (forged(HEADER | {"id": "0e" * 32}), "another managed token"),
    "zip": (forged(HEADER | {"zip": "DEF"}), "another program"),
    "alg": (forged(HEADER | {"alg": "A256KW"}), "another program"),
    "enc": (forged(HEADER | {"enc": "A128GCM"}), "another program"),
    "crit": (forged(HEADER | {"crit": ["v"]}), "another program"),
    "array": (forged([]), "another program"),
    "no json": (encoded(b"no json") + SEALED[SEALED.index(b".") :], "not JSON"),
    "other key": (forged(HEADER, key=Secret(b"x" * 32)), "another key"),
}


@pytest.mark.parametrize(("content", "reason"), FOREIGN.values(), ids=FOREIGN)
def test_everything_else_is_refused_with_its_reason(content: bytes, reason: str) -> None:
    """R-009, F-51: other key, other token, other version, other algorithm, cut short, too long."""
    with pytest.raises(EntryRefused, match=reason) as caught:
        sealed.unseal(content, key=KEY, identity=ID)
    assert_silent(caught.value)


def refused_or_untouched(content: bytes) -> None:
    """Nothing but the very bytes that were sealed is opened, and nothing but a refusal is raised."""
    assume(content != SEALED)
    try:
        opened = sealed.unseal(content, key=KEY, identity=ID)
    except EntryRefused as refusal:
        assert_silent(refusal)
    else:
        # base64url has spare bits at the end of a part: the same content in other words.
        assert PLAIN == opened
        assert [decoded(part) for part in SEALED.split(b".")] == [
            decoded(part) for part in content.split(b".")
        ]


@settings(max_examples=3000, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_refused(content: bytes) -> None:
    """R-009: three thousand of the ten thousand cases."""
    refused_or_untouched(content)


@settings(max_examples=5000, deadline=None)
@given(
    st.integers(0, len(SEALED)),
    st.integers(0, 12),
    st.one_of(st.binary(max_size=12), st.text("AZaz09-_.=+/", max_size=12).map(str.encode)),
)
def test_any_change_is_refused(at: int, cut: int, put: bytes) -> None:
    """R-009: five thousand cases near the truth: bytes replaced, cut out, put in."""
    refused_or_untouched(SEALED[:at] + put + SEALED[at + cut :])


texts = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["dir", "A256GCM", ID]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=2500, deadline=None)
@given(texts | st.fixed_dictionaries({"alg": texts, "enc": texts, "v": texts, "id": texts}))
def test_any_header_is_refused(header: object) -> None:
    """R-009: two and a half thousand authentic JWE whose headers are not ours, letter by letter."""
    assume(header != HEADER)
    with pytest.raises(EntryRefused):
        sealed.unseal(forged(header), key=KEY, identity=ID)


@pytest.mark.parametrize(
    "text",
    [
        base64.b64encode(KEY.reveal_bytes()),
        base64.b64encode(KEY.reveal_bytes()) + b"\n",
        b"  " + base64.urlsafe_b64encode(KEY.reveal_bytes()).rstrip(b"=") + b"\r\n",
    ],
)
def test_key_is_taken_in_the_usual_spellings(text: bytes) -> None:
    """`openssl rand -base64 32`, with or without newline and padding, in either alphabet."""
    assert KEY == cache_key.parse(Secret(text))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe",
        base64.b64encode(b"S3CR3T-".ljust(31, b"k")),
        base64.b64encode(b"S3CR3T-".ljust(33, b"k")),
        b"S3CR3T-".ljust(32, b"k"),
        b"S3CR3T-".ljust(32, b"k").hex().encode(),
    ],
)
def test_key_of_another_length_or_form_is_refused_unshown(text: bytes) -> None:
    """The message says what a key looks like and how to make one."""
    with pytest.raises(ValueError, match="32 bytes as base64 text: make a key with openssl") as caught:
        cache_key.parse(Secret(text))
    assert_silent(caught.value)


def test_importing_the_cache_does_not_import_the_library() -> None:
    """Who has no `[cache]` does not pay for it."""
    program = "import sys, broker.core.cache.keeper; sys.exit('joserfc' in sys.modules)"
    assert 0 == subprocess.run([sys.executable, "-c", program], check=False).returncode
