"""Power cuts on ext4 and xfs: old or new token, never an empty file; and writers that are found out by them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.publishing.power import Disk
from tests.publishing.system_calls import faulty, steps_of_publication
from tests.scale import scaled
from tests.sinks.publisher_process import publisher_process
from tests.sinks.publishing import publication, sink_for, token_text

pytestmark = [pytest.mark.publishing, pytest.mark.soak]

ROUNDS = scaled(short=1, whole=5)
OLD, NEW = token_text(1, fill=3_000), token_text(2, fill=3_000)


@pytest.fixture(params=["ext4", "xfs"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    """A file system with power."""
    disk = Disk(tmp_path, request.param)
    with disk.powered():
        yield disk


def found(disk: Disk) -> str:
    """The token after a power cut now."""
    with disk.after_power_cut() as files:
        return (files / "tokens" / "token").read_text()


def test_a_power_cut_at_any_call_leaves_the_old_token_or_the_new(disk: Disk, tmp_path: Path) -> None:
    """F-33: also when another program's fsync had just committed the names; what was published before is not lost."""
    path = disk.files / "tokens" / "token"
    with publisher_process(path) as publisher:
        assert "ok" == publisher.publish(1, fill=3_000)
        points = steps_of_publication(publisher, tmp_path / "trace", base=disk.files, number=2, fill=3_000)
    changing = next(index for index, step in enumerate(points) if "TMP" in step.target)
    outcomes = set()
    for step in points[changing:] * ROUNDS:
        with publisher_process(path) as publisher:
            assert "ok" == publisher.publish(1, fill=3_000)  # the first one of a process makes more calls
            with faulty(publisher, step, "signal=KILL", tmp_path / "trace"):
                assert "" == publisher.publish(2, fill=3_000)
        at_once = found(disk)
        disk.let_a_bystander_sync()
        after_commit = found(disk)
        assert {at_once, after_commit} <= {OLD, NEW}, step
        outcomes |= {(at_once == NEW, after_commit == NEW)}
    assert {(False, False), (False, True), (True, True)} == outcomes


def test_what_was_published_survives(disk: Disk) -> None:
    """F-33: when `publish` returned, the new token is on the medium, the directory's entry included."""
    sink = sink_for(disk.files / "tokens" / "token")
    for number in range(1, 6):
        sink.publish(publication(number, fill=number * 700))
        assert token_text(number, fill=number * 700) == found(disk)


def truncating(path: Path) -> None:
    """Pitfall 25. XFS alone flushes a file that was truncated when it is closed."""
    path.write_text(NEW)


def renaming(path: Path) -> None:
    """Pitfall 26: no fsync at all."""
    path.with_name("new").write_text(NEW)
    path.with_name("new").rename(path)


def renaming_without_the_directory(path: Path) -> None:
    """The content is safe, the name is not."""
    with path.with_name("new").open("w") as file:
        file.write(NEW)
        file.flush()
        os.fsync(file.fileno())
    path.with_name("new").rename(path)


@pytest.mark.parametrize(
    ("disk", "writer"), [("ext4", truncating), ("ext4", renaming), ("xfs", renaming)], indirect=["disk"]
)
def test_a_writer_without_fsync_is_found_with_an_empty_file(
    disk: Disk, writer: Callable[[Path], None]
) -> None:
    """F-33, the negative control: the same power cut shows what such writers do."""
    path = disk.files / "tokens" / "token"
    sink_for(path).publish(publication(1, fill=3_000))
    writer(path)
    disk.let_a_bystander_sync()
    assert "" == found(disk)


def test_a_writer_without_fsync_of_the_directory_is_found_with_the_old_file(disk: Disk) -> None:
    """F-33, the other negative control: what it had reported as written is gone."""
    path = disk.files / "tokens" / "token"
    sink_for(path).publish(publication(1, fill=3_000))
    renaming_without_the_directory(path)
    assert OLD == found(disk)
