"""SIGKILL at every system call of a publication: the reader finds a whole token, the next start cleans up."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from broker.sinks import surroundings
from tests.publishing.places import short_directory
from tests.publishing.system_calls import Step, faulty, steps, steps_of_publication
from tests.scale import scaled
from tests.sinks.publisher_process import publisher_process
from tests.sinks.publishing import entries, publication, sink_for, token_text
from tests.sinks.tracing import traced

pytestmark = [pytest.mark.publishing, pytest.mark.soak]

FILL: Final = 3_000
STRIDE_OF_FIRST: Final = scaled(short=2, whole=1)
"""The first publication looks around as well, with some sixty calls more."""


@pytest.fixture
def base() -> Iterator[Path]:
    """Where the token's directory is."""
    with short_directory() as place:
        yield place


@pytest.fixture(autouse=True)
def each_sink_is_a_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sinks of this process stand for starts of the broker: what one has listed is no news to the next."""
    monkeypatch.setattr(surroundings, "FRESH_SECONDS", 0.0)


def killed_at(step: Step, base: Path, *, replacing: bool) -> None:
    """A publisher that is killed there; `replacing` a token, or publishing its first."""
    path = base / "tokens" / "token"
    with publisher_process(path) as publisher:
        if replacing:
            assert "ok" == publisher.publish(1, fill=FILL)
        with faulty(publisher, step, "signal=KILL", base / "trace"):
            assert "" == publisher.publish(2, fill=FILL)


def test_a_kill_at_any_call_of_a_replacement_leaves_a_whole_token(base: Path) -> None:
    """R-116, F-32: the old token until the name changes, then the new one; leftovers go with the next start."""
    path = base / "tokens" / "token"
    with publisher_process(path) as publisher:
        assert "ok" == publisher.publish(1, fill=FILL)
        points = steps_of_publication(publisher, base / "trace", base=base, number=2, fill=FILL)
    found = []
    for step in points:
        path.unlink()
        killed_at(step, base, replacing=True)
        assert path.read_text() in {token_text(1, fill=FILL), token_text(2, fill=FILL)}, step
        found.append((path.read_text() == token_text(1, fill=FILL), len(entries(path.parent))))
        sink_for(path).publish(publication(3))
        assert (token_text(3), ["token"]) == (path.read_text(), entries(path.parent)), step
    assert sorted(found, key=lambda pair: not pair[0]) == found, "the new token came, and went again"
    assert {(True, 1), (True, 2), (False, 1)} == set(found)


def test_a_kill_at_any_call_of_a_first_publication_leaves_a_whole_token_or_none(base: Path) -> None:
    """R-116: directories may be there, an unfinished file under the name never."""
    path = base / "tokens" / "token"
    with publisher_process(path) as publisher, traced(publisher.pid, base / "trace"):
        assert "ok" == publisher.publish(2, fill=FILL)
    points = steps((base / "trace").read_text(), base=base)
    there = set()
    for step in points[::STRIDE_OF_FIRST]:
        shutil.rmtree(path.parent, ignore_errors=True)
        killed_at(step, base, replacing=False)
        there.add(path.exists())
        assert not path.exists() or path.read_text() == token_text(2, fill=FILL), step
        sink_for(path).publish(publication(3))
        assert (token_text(3), ["token"]) == (path.read_text(), entries(path.parent)), step
        assert 0o755 == stat.S_IMODE(path.parent.stat().st_mode), step
    assert {True, False} == there
