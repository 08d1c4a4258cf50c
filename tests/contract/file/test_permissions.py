"""Who may read and change the files is told with the path and the mode, and stops nothing but what the system stops."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from backends.file.backend import FileBackend
from broker.api import LifeCycle
from broker.testing.observer import RecordingObserver
from tests.contract.file.writing import PATIENCE_SECONDS, mount, write

SOMEBODY_ELSE = 65534

DENIED_READ = f"""
import os, sys
from backends.file.backend import FileBackend
from broker.api import PluginContext, SecretAccessDenied
if os.geteuid() == 0:
    os.setegid({SOMEBODY_ELSE})
    os.seteuid({SOMEBODY_ELSE})
backend = FileBackend(sys.argv[1], PluginContext(name="local", observer=lambda event: None))
try:
    backend.read(sys.argv[2], timeout_seconds=5)
except SecretAccessDenied as error:
    print(error.message)
"""


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that everybody may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def denial(directory: Path, path: str) -> str:
    """Answer what a user without rights is told."""
    finished = subprocess.run(
        [sys.executable, "-c", DENIED_READ, str(directory), path],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 0 == finished.returncode, finished.stderr
    return finished.stdout


def broker_user() -> str:
    """Answer how the reader is called: root may read everything and becomes somebody else."""
    return f"the broker's user (uid {os.geteuid() or SOMEBODY_ELSE})"


def warnings(observer: RecordingObserver) -> list[str]:
    """Answer what was told, without the backend's name."""
    return [event.message.removeprefix("secret backend local: ") for event in observer.of(LifeCycle)]


def test_unreadable_file_is_named_with_its_mode_and_owner(public: Path) -> None:
    """What `ls -l` would show next."""
    write(public / "odc", "S3CR3T-denied").chmod(0o000)
    about = f"(mode 0000, owner uid {os.geteuid()})"
    said = f"secret backend local: odc: {broker_user()} may not read {public}/odc {about}\n"
    assert said == denial(public, "odc")


@pytest.mark.parametrize("path", ["team/odc", "team"])
def test_directory_that_cannot_be_entered_is_named(public: Path, path: str) -> None:
    """The file may be as readable as can be."""
    write(public / "team" / "odc", "S3CR3T-denied").chmod(0o644)
    (public / "team").chmod(0o000)
    about = f"(mode 0000, owner uid {os.geteuid()})"
    said = f"secret backend local: {path}: {broker_user()} may not enter {public}/team {about}\n"
    assert said == denial(public, path)


def test_directory_need_not_be_listed_for_one_file(public: Path) -> None:
    """Search permission is enough for a path that names a file."""
    write(public / "team" / "odc", "S3CR3T-found").chmod(0o644)
    (public / "team").chmod(0o711)
    assert "" == denial(public, "team/odc")


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        (0o644, "can be read by everybody (mode 0644): chmod o-r, or make it 0600 where it is mounted"),
        (0o666, "can be changed by everybody (mode 0666): chmod o-rwx"),
        (0o622, "can be changed by everybody (mode 0622): chmod o-rwx"),
    ],
)
def test_file_open_to_everybody_is_reported_once(
    backend: FileBackend, directory: Path, observer: RecordingObserver, mode: int, words: str
) -> None:
    """A warning, never a refusal: mounted Kubernetes Secrets are 0644."""
    write(directory / "odc", "S3CR3T-open").chmod(mode)
    for _ in range(2):
        backend.read("odc", timeout_seconds=PATIENCE_SECONDS)
    assert [f"{directory}/odc {words}"] == warnings(observer)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o440])
def test_file_for_few_is_not_worth_a_word(
    backend: FileBackend, directory: Path, observer: RecordingObserver, mode: int
) -> None:
    """A group was given on purpose."""
    write(directory / "odc", "S3CR3T-closed").chmod(mode)
    backend.read("odc", timeout_seconds=PATIENCE_SECONDS)
    assert [] == warnings(observer)


def test_directory_in_which_everybody_writes_is_reported(
    backend: FileBackend, directory: Path, observer: RecordingObserver
) -> None:
    """Whoever may replace a file chooses the secret; with the sticky bit nobody may."""
    write(directory / "odc" / "client_secret", "S3CR3T-1")
    write(directory / "sticky" / "client_secret", "S3CR3T-2")
    (directory / "odc").chmod(0o777)
    (directory / "sticky").chmod(0o1777)
    for path in ("odc", "sticky"):
        backend.read(path, timeout_seconds=PATIENCE_SECONDS)
    assert [f"in {directory}/odc everybody can replace secrets (mode 0777): chmod o-w"] == warnings(observer)


def test_mounted_secret_is_reported_once_and_by_the_names_that_people_know(
    backend: FileBackend, directory: Path, observer: RecordingObserver
) -> None:
    """Not again with each generation, whose directory nobody has heard of."""
    for generation in ("1", "2"):
        mount(directory, generation, client_secret=f"S3CR3T-{generation}")
        (directory / f"..{generation}" / "client_secret").chmod(0o644)
        for path in (".", "client_secret"):
            backend.read(path, timeout_seconds=PATIENCE_SECONDS)
    assert [f"{directory}/client_secret can be read by everybody (mode 0644)"] == [
        each.partition(":")[0] for each in warnings(observer)
    ]
