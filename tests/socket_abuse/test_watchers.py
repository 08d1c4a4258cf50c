"""Watchers who do not read: they are dropped, and cost next to nothing until then (R-136)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.client.watch import Watch
from tests.packaging.project import ROOT
from tests.scale import scaled
from tests.servers.process import Child
from tests.socket_abuse.conftest import Tell
from tests.socket_abuse.users import READER_UID, clients, descriptors, resident_bytes
from tests.waiting import eventually

pytestmark = [pytest.mark.sockets, pytest.mark.soak]

MEBIBYTE = 1024 * 1024
DEAF = 100
KEPT_BYTES = 256 * 1024
"""Of each: a mark for each of 2000 tokens, and the lines that did not fit into the kernel's buffer any more."""


@pytest.fixture
def churning(place: Path) -> Iterator[Child]:
    """A server whose 2000 tokens change, 2500 a second."""
    child = Child(
        [sys.executable, "-m", "tests.socket_abuse.churning", place / "s", str(READER_UID)],
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT)},
        log=place / "log",
    )
    child.wait_until((place / "s").is_socket, timeout=30.0, what="the server is there")
    yield child
    child.stop()


def test_memory_is_bounded(place: Path, churning: Child, tell: Tell) -> None:
    """A hundred who never read are dropped, round after round; who reads is told everything meanwhile."""
    watch = Watch(str(place / "s"))
    before, memory, told, most = len(descriptors(churning)), resident_bytes(churning), 0, 0
    for _ in range(scaled(short=1, whole=30)):
        with clients("watches", place / "s", uid=READER_UID, count=DEAF) as crowd:
            eventually(lambda: len(descriptors(churning)) >= before + DEAF, what="they are all there")
            dropped = False
            while not dropped:  # within the patience with senders, 5 s; the suite's own deadline ends a hang
                told += len(watch.read(timeout_seconds=5.0))
                most = max(most, resident_bytes(churning) - memory)
                dropped = len(descriptors(churning)) < before + DEAF // 2
            crowd.ended()
    assert most < DEAF * KEPT_BYTES + 8 * MEBIBYTE
    assert told > 2000
    assert len(watch.read(timeout_seconds=5.0)) > 0
    watch.close()
    eventually(lambda: len(descriptors(churning)) <= before, what="all are closed")
    tell(
        f"{DEAF} watchers who never read: at most {most / MEBIBYTE:+.1f} MiB, dropped; one who read: {told} records"
    )
