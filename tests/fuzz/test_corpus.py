"""The corpus of hostile requests (R-142): a file's name starts with the statuses that it is answered with."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.target import WORDS, one_input

CORPUS = sorted(Path(__file__).with_name("corpus").glob("*.http"))
CUTS = st.lists(st.integers(0, 5000), max_size=6).map(tuple)


def expected(path: Path) -> list[int]:
    """The statuses in a file's name; `none` for no answer."""
    found = re.match(r"((?:\d{3}-)+|none-)", path.name)
    assert found is not None, path
    return [int(status) for status in found[1].split("-") if status.isdigit()]


@pytest.mark.parametrize("path", CORPUS, ids=[path.stem for path in CORPUS])
def test_corpus(path: Path) -> None:
    """Each file is answered as its name says: whole, byte by byte, and cut in the middle."""
    data = path.read_bytes()
    answers = [
        one_input(data),
        one_input(data, cuts=tuple(range(len(data)))),
        one_input(data, cuts=(len(data) // 2, len(data) - 1)),
    ]
    assert [expected(path)] * 3 == answers


def test_the_corpus_is_there() -> None:
    """A glob that finds nothing would prove nothing."""
    assert len(CORPUS) > 100


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=14).map(b"".join), CUTS)
def test_pieces_of_requests(data: bytes, cuts: tuple[int, ...]) -> None:
    """However the pieces of HTTP are put together and cut, what must hold holds."""
    one_input(data, cuts=cuts)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(CORPUS), st.integers(0, 4000), st.binary(max_size=4), CUTS)
def test_damaged_corpus(path: Path, place: int, damage: bytes, cuts: tuple[int, ...]) -> None:
    """Nor does damage to a file change that."""
    data = path.read_bytes()
    place %= len(data) + 1
    one_input(data[:place] + damage + data[place + len(damage) :], cuts=cuts)
