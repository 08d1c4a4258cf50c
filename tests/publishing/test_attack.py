"""A user who swaps a component of the path while we publish: nothing is ever written anywhere else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from broker.api import SinkError
from tests.cache import missing
from tests.publishing.attacker import NOBODY, attacker
from tests.publishing.places import memory_directory
from tests.scale import scaled
from tests.sinks.publishing import entries, publication, sink_for, token_text

pytestmark = [pytest.mark.publishing, pytest.mark.soak]

ROUNDS = scaled(short=3_000, whole=100_000)
PRECIOUS = "precious, and not the attacker's to write"


@pytest.fixture
def ground() -> Iterator[Path]:
    """`play` belongs to the attacker, `outside` does not."""
    if os.geteuid():
        missing("another user to attack as", "run as root")
    with memory_directory() as place:
        place.chmod(0o755)
        (place / "play" / "swapped").mkdir(parents=True)
        for path in (place / "play", place / "play" / "swapped"):
            os.chown(path, NOBODY, NOBODY)
            path.chmod(0o755)
        (place / "outside").mkdir()
        (place / "outside" / "token").write_text(PRECIOUS)
        yield place


def decoy(ground: Path, target: str) -> Path:
    """The attacker's symbolic link."""
    link = ground / "play" / "decoy"
    link.symlink_to(ground / target)
    os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
    return link


def untouched(ground: Path) -> bool:
    """Whether nothing was written outside."""
    outside = ground / "outside"
    return ["token"] == entries(outside) and (outside / "token").read_text() == PRECIOUS


def test_a_directory_that_is_swapped_for_a_link_leads_nowhere(ground: Path) -> None:
    """F-34, R-117: each publication goes to the real directory or is refused."""
    swapped = ground / "play" / "swapped"
    sink = sink_for(swapped / "token")
    published = 0
    refusals: set[str] = set()
    with attacker(swapped, decoy(ground, "outside")) as attack:
        for number in range(ROUNDS):
            try:
                sink.publish(publication(number))
                published += 1
            except SinkError as error:
                refusals.add(error.code)
            assert untouched(ground), f"round {number}"
    assert attack.exchanges > ROUNDS
    assert published
    assert "symbolic_link" in refusals


def test_a_file_that_is_swapped_for_a_link_is_replaced(ground: Path) -> None:
    """F-34, R-119: whatever stands under the name, the new file takes its place and nothing is written through it."""
    swapped = ground / "play" / "swapped"
    sink = sink_for(swapped / "token")
    sink.publish(publication(0))
    decoy(ground, "outside/token").rename(swapped / "decoy")
    with attacker(swapped / "token", swapped / "decoy") as attack:
        for number in range(ROUNDS):
            sink.publish(publication(number))
            assert untouched(ground), f"round {number}"
    assert attack.exchanges > ROUNDS
    sink.publish(publication(ROUNDS))
    assert token_text(ROUNDS) == (swapped / "token").read_text()


def test_a_writer_that_trusts_the_path_is_caught(ground: Path) -> None:
    """F-34, the negative control: the same attack makes others write outside, though they rename and are careful."""
    swapped = ground / "play" / "swapped"
    written = 0
    with attacker(swapped, decoy(ground, "outside")):
        while untouched(ground):
            written += 1
            with suppress(OSError):
                if not swapped.is_symlink():
                    (swapped / "new").write_text(token_text(written))
                    (swapped / "new").rename(swapped / "token")
            assert written < 1_000_000, "nobody was caught: this attack proves nothing"
