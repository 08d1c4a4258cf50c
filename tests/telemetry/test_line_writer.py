"""A stream that blocks, is full or gone stops nobody (F-53)."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TextIO

import pytest

from broker.telemetry.line_writer import MOST_WAITING, LineWriter
from tests.waiting import eventually

REPOSITORY = Path(__file__).parents[2]


def writer_to(stream: TextIO) -> LineWriter:
    """With a notice that is easy to recognise."""
    return LineWriter(stream, notice=lambda lost: f"LOST {lost}")


def test_an_unread_pipe_blocks_nobody() -> None:
    """F-53: lines are counted as dropped; when somebody reads again, a notice says how many."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        writer = writer_to(stream)
        began = time.monotonic()
        for number in range(MOST_WAITING + 2_000):
            writer.put(f"{number:06} {'x' * 200}")
        assert time.monotonic() - began < 5
        assert writer.dropped > 0
        assert not writer.flush(deadline_seconds=0.01)
        dropped = writer.dropped
        content = b""
        while writer.flush(deadline_seconds=0) is False and b"LOST" not in content:
            content += os.read(reading, 1 << 20)
        writer.put("after")
        while not content.endswith(b"after\n"):
            content += os.read(reading, 1 << 20)
        writer.close(deadline_seconds=10)
    os.close(reading)
    lines = content.decode().splitlines()
    assert f"LOST {dropped}" in lines
    assert MOST_WAITING + 2_000 - dropped == len([line for line in lines if line.endswith("x")])


def test_a_closed_pipe_is_no_error() -> None:
    """F-53: the reader went away."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        writer = writer_to(stream)
        writer.put("nobody reads this")
        writer.flush(deadline_seconds=10)
        assert 1 == writer.dropped
        writer.close(deadline_seconds=10)


def test_a_full_disk_is_no_error() -> None:
    """F-53: /dev/full stands for it."""
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with Path("/dev/full").open("w") as stream:
        writer = writer_to(stream)
        writer.put("no room for this")
        writer.flush(deadline_seconds=10)
        assert 1 == writer.dropped
        writer.close(deadline_seconds=10)


def test_a_non_blocking_pipe_is_waited_for() -> None:
    """Another process that shares the stream may have made it so."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with os.fdopen(writing, "w") as stream:
        writer = writer_to(stream)
        for _ in range(1_000):
            writer.put("x" * 999)
        content = b""
        while len(content) < 1_000_000:
            content += os.read(reading, 1 << 20)
        writer.close(deadline_seconds=10)
        assert 0 == writer.dropped
    os.close(reading)


def test_a_process_ends_although_nobody_reads_its_log() -> None:
    """F-53: within the second that is given to the last lines, and with its own exit status."""
    program = (
        "import logging\n"
        "from broker.telemetry.logs import configure\n"
        "configure('info', 'json')\n"
        "for _ in range(3000): logging.getLogger('broker.x').info('x' * 500)\n"
        "raise SystemExit(7)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, cwd=REPOSITORY) as process:
        try:
            assert 7 == eventually(process.poll, what="the process ended")
        finally:
            process.kill()


def test_the_last_lines_are_written_at_the_end() -> None:
    """A process that ends at once still says why."""
    program = (
        "import logging\n"
        "from broker.telemetry.logs import configure\n"
        "configure('info', 'text')\n"
        "logging.getLogger('broker.x').info('last words')\n"
        "raise ValueError('S3CR3T-1')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], stderr=subprocess.PIPE, cwd=REPOSITORY, check=False, text=True
    )
    assert "last words" in ended.stderr
    assert "critical uncaught: the program ends (error=ValueError at <string>:5 <module>)" in ended.stderr
    assert "S3CR3T" not in ended.stderr
