"""Readers and watchers in other processes, while tokens of different length come and go."""

from __future__ import annotations

import grp
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.publishing.onlooker import Onlooker
from tests.publishing.places import memory_directory
from tests.scale import scaled
from tests.sinks.publishing import entries, publication, sink_for

pytestmark = [pytest.mark.publishing, pytest.mark.soak]

READERS = 8
READS = scaled(short=25_000, whole=1_000_000)
PUBLICATIONS = scaled(short=500, whole=10_000)


@pytest.fixture
def umask() -> Iterator[None]:
    """Puts the umask back."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def group() -> grp.struct_group:
    """A group that this process may give files to, other than its own where possible."""
    ours = {os.getegid()} if os.geteuid() == 0 else set()
    allowed = {entry.gr_gid for entry in grp.getgrall()} if os.geteuid() == 0 else {os.getegid()}
    return next(entry for entry in grp.getgrall() if entry.gr_gid in allowed - ours)


@pytest.fixture
def memory() -> Iterator[Path]:
    """Where publications are as frequent as they can be."""
    with memory_directory() as place:
        yield place


def test_no_read_is_torn_or_finds_no_file(memory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """R-114: eight readers, a million reads each in the long form, during ten thousand publications."""
    path, sink = memory / "token", sink_for(memory / "token")
    sink.publish(publication(0))
    readers = [Onlooker("read", path, str(READS)) for _ in range(READERS)]
    number = 0
    while number < PUBLICATIONS or not all(reader.has_enough for reader in readers):
        number += 1
        sink.publish(publication(number, fill=(number * 997) % 9_000))
    reports = [reader.report() for reader in readers]
    with capsys.disabled():
        sys.stdout.write(f"\n{number} publications, {sum(report['reads'] for report in reports)} reads\n")
    assert [(0, 0)] * READERS == [(report["torn"], report["missing"]) for report in reports]
    assert all(report["different"] > 5 for report in reports), reports
    assert ["token"] == entries(memory)


def test_a_writer_in_place_is_seen_torn(memory: Path) -> None:
    """R-114, the negative control: the same reader sees what truncating writers do."""
    path = memory / "token"
    content = publication(1, fill=9_000).revision.token.value.reveal_bytes()
    path.write_bytes(content)
    reader = Onlooker("read", path, str(READS))
    written = 0
    while written < PUBLICATIONS or not reader.has_enough:
        written += 1
        path.write_bytes(content)
    assert reader.report()["torn"] > 0


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize("mask", [0o000, 0o777])
def test_no_other_mode_or_group_is_ever_seen(memory: Path, group: grp.struct_group, mask: int) -> None:
    """R-118, F-35: not for a moment, whatever the umask; and a temporary file is not for others either."""
    path = memory / "token"
    sink = sink_for(path, mode=0o440, group=group.gr_name)
    sink.publish(publication(0))
    os.umask(mask)
    watcher = Onlooker("watch", path)
    for number in range(1, PUBLICATIONS + 1):
        sink.publish(publication(number, fill=number % 500))
        if number % 10 == 0:
            sink.withdraw()
            sink.publish(publication(number))
    report = watcher.report()
    uid, own = os.geteuid(), os.getegid()
    assert [f"0440 {uid} {group.gr_gid}"] == report["token"]
    begun = {f"{0o600 & ~mask:04o} {uid} {gid}" for gid in (own, group.gr_gid)}
    assert set(report["beside"]) <= begun | {f"0440 {uid} {group.gr_gid}"}
