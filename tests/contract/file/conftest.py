"""A directory of secrets and the backend that reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.file.backend import FileBackend
from broker.api import PluginContext
from broker.testing.observer import RecordingObserver


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The configured directory, with a secret next to it that nobody may reach."""
    (tmp_path / "outside").write_text("S3CR3T-outside")
    directory = tmp_path / "secrets"
    directory.mkdir()
    return directory


@pytest.fixture
def observer() -> RecordingObserver:
    """What the backend tells."""
    return RecordingObserver()


@pytest.fixture
def backend(directory: Path, observer: RecordingObserver) -> FileBackend:
    """A backend over the directory."""
    context = PluginContext(name="local", observer=observer)
    return FileBackend(str(directory), context)
