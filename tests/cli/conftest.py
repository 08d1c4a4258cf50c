"""Paths for sockets: pytest's own are too long for an address (107 bytes)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def socket_file() -> Iterator[Path]:
    """A short path where a socket may be made."""
    with tempfile.TemporaryDirectory(prefix="tb-") as directory:
        yield Path(directory) / "s"
