"""Secrets in files: what a path may name, what it may not, and what is told of the files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from backends.file import MAX_FILE_BYTES, FileBackend, FileOptions
from broker.api import LifeCycle, PluginContext, SecretDocument, SecretMalformed, SecretNotFound
from broker.testing.observer import RecordingObserver

PATIENCE_SECONDS = 5.0


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
    return FileBackend(FileOptions(directory=str(directory)), context)


def shown(document: SecretDocument) -> tuple[bytes | None, dict[str, str]]:
    """Answer the whole value and the fields."""
    whole = document.whole.reveal_bytes() if document.whole else None
    return whole, {name: secret.reveal() for name, secret in document.fields.items()}


def write(file: Path, content: str | bytes) -> Path:
    """Write a file that only its owner may read."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def mount(directory: Path, generation: str, **files: str) -> None:
    """Do what the kubelet does for a mounted Secret: all files at once, by one rename of a link."""
    for name, content in files.items():
        write(directory / f"..{generation}" / name, content)
    (directory / "..data_tmp").symlink_to(f"..{generation}")
    (directory / "..data_tmp").replace(directory / "..data")
    for name in files:
        if not (directory / name).is_symlink():
            (directory / name).symlink_to(f"..data/{name}")


def test_file_is_a_whole_value(backend: FileBackend, directory: Path) -> None:
    """To the byte."""
    write(directory / "odc" / "client_secret", b"S3CR3T-\xff\n")
    document = backend.read("odc/client_secret", timeout_seconds=PATIENCE_SECONDS)
    assert (b"S3CR3T-\xff\n", {}) == shown(document)


def test_json_file_has_fields_as_well(backend: FileBackend, directory: Path) -> None:
    """Text and numbers, the rest is left out."""
    content = '{"client_id": "app", "client_secret": "S3CR3T-json", "n": 1.10, "list": ["x"]}'
    write(directory / "odc.json", content)
    assert (content.encode(), {"client_id": "app", "client_secret": "S3CR3T-json", "n": "1.10"}) == shown(
        backend.read("odc.json", timeout_seconds=PATIENCE_SECONDS)
    )


def test_directory_has_a_field_a_file(backend: FileBackend, directory: Path) -> None:
    """Directories in it are other secrets."""
    write(directory / "odc" / "client_id", "app")
    write(directory / "odc" / "client_secret", "S3CR3T-field")
    write(directory / "odc" / "other" / "client_secret", "S3CR3T-other")
    document = backend.read("odc", timeout_seconds=PATIENCE_SECONDS)
    assert (None, {"client_id": "app", "client_secret": "S3CR3T-field"}) == shown(document)


@pytest.mark.parametrize("path", [".", "client_secret"])
def test_mounted_kubernetes_secret_is_read_and_its_update_noticed(
    backend: FileBackend, directory: Path, path: str
) -> None:
    """Its links stay inside; the version changes with the generation."""
    mount(directory, "2026_01", client_id="app", client_secret="S3CR3T-one")
    first = backend.read(path, timeout_seconds=PATIENCE_SECONDS)
    assert first.version == backend.version(path, timeout_seconds=PATIENCE_SECONDS)
    mount(directory, "2026_02", client_id="app", client_secret="S3CR3T-two")
    second = backend.read(path, timeout_seconds=PATIENCE_SECONDS)
    one, two = ("S3CR3T-one", "S3CR3T-two")
    expected = [
        (None, {"client_id": "app", "client_secret": value}) if path == "." else (value.encode(), {})
        for value in (one, two)
    ]
    assert (expected, True) == ([shown(first), shown(second)], first.version != second.version)


@pytest.mark.parametrize("path", ["../outside", "odc/../../outside", "/etc/passwd", ".."])
def test_path_out_of_the_directory_is_refused(backend: FileBackend, directory: Path, path: str) -> None:
    """Whether something is there or not."""
    (directory / "odc").mkdir()
    with pytest.raises(SecretNotFound, match=r"must be relative to .*, without \.\."):
        backend.read(path, timeout_seconds=PATIENCE_SECONDS)


@pytest.mark.parametrize("path", ["link", "chain", "linked/outside", "odc", "mounted"])
def test_link_out_of_the_directory_is_refused(backend: FileBackend, directory: Path, path: str) -> None:
    """A link to a file, a link to a link, through a linked directory, among fields, or as the kubelet's."""
    (directory / "link").symlink_to("../outside")
    (directory / "chain").symlink_to("link")
    (directory / "linked").symlink_to("..")
    (directory / "odc").mkdir()
    (directory / "odc" / "client_secret").symlink_to("../../outside")
    (directory / "mounted").mkdir()
    (directory / "mounted" / "..data").symlink_to("../..")
    for ask in (backend.read, backend.version):
        with pytest.raises(SecretNotFound, match="a link leads out of"):
            ask(path, timeout_seconds=PATIENCE_SECONDS)


def test_link_inside_the_directory_is_followed(backend: FileBackend, directory: Path) -> None:
    """One secret under two names."""
    write(directory / "real", "S3CR3T-real")
    (directory / "alias").symlink_to("real")
    assert b"S3CR3T-real" == shown(backend.read("alias", timeout_seconds=PATIENCE_SECONDS))[0]


def test_what_is_no_reasonable_file_is_refused(backend: FileBackend, directory: Path) -> None:
    """A pipe would hold the thread for ever, a huge file the memory."""
    os.mkfifo(directory / "pipe", 0o600)
    write(directory / "huge", b"x" * (MAX_FILE_BYTES + 1))
    for path in ("pipe", "huge"):
        with pytest.raises(SecretMalformed, match="no regular file of at most 1048576 bytes"):
            backend.read(path, timeout_seconds=PATIENCE_SECONDS)


def test_link_to_itself_and_missing_directory_are_explained(backend: FileBackend, directory: Path) -> None:
    """Neither is a traceback."""
    (directory / "loop").symlink_to("loop")
    with pytest.raises(Exception, match="loop: Too many levels of symbolic links"):
        backend.read("loop", timeout_seconds=PATIENCE_SECONDS)
    (directory / "loop").unlink()
    directory.rmdir()
    with pytest.raises(SecretNotFound, match=f"no such file or directory in {directory}"):
        backend.read("odc", timeout_seconds=PATIENCE_SECONDS)


DENIED_READ = """
import os, sys
from backends.file import FileBackend, FileOptions
from broker.api import PluginContext, SecretAccessDenied
if os.geteuid() == 0:
    os.setegid(65534)
    os.seteuid(65534)
backend = FileBackend(FileOptions(directory=sys.argv[1]), PluginContext(name="local", observer=print))
try:
    backend.read("odc", timeout_seconds=5)
except SecretAccessDenied as error:
    print(error.message)
"""


def test_unreadable_file_is_denied(directory: Path) -> None:
    """The message names the file; root may read everything, so the test is done by somebody else."""
    for each in (directory, directory.parent, directory.parent.parent):
        each.chmod(0o755)
    write(directory / "odc", "S3CR3T-denied").chmod(0o000)
    finished = subprocess.run(
        [sys.executable, "-c", DENIED_READ, str(directory)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = f"secret backend local: odc: the broker's user may not read {directory}/odc\n"
    assert (0, said) == (finished.returncode, finished.stdout), finished.stderr


def test_file_open_to_everybody_is_reported_once(
    backend: FileBackend, directory: Path, observer: RecordingObserver
) -> None:
    """A warning, never a refusal: mounted Kubernetes Secrets are 0644."""
    write(directory / "odc", "S3CR3T-open").chmod(0o644)
    for _ in range(2):
        backend.read("odc", timeout_seconds=PATIENCE_SECONDS)
    assert [f"secret backend local: {directory}/odc can be read by everybody (mode 0644)"] == [
        event.message for event in observer.of(LifeCycle)
    ]


def test_same_content_written_again_is_another_version(backend: FileBackend, directory: Path) -> None:
    """The version is what the file system tells; whether the value changed is the broker's to compare."""
    write(directory / "odc", "S3CR3T-same")
    before = backend.version("odc", timeout_seconds=PATIENCE_SECONDS)
    write(directory / "new", "S3CR3T-same").replace(directory / "odc")
    assert before != backend.version("odc", timeout_seconds=PATIENCE_SECONDS)
