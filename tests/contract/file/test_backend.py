"""Secrets in files: what a path may name, and which version that is."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

from backends.file.backend import MAX_BYTES, MAX_FILES, FileBackend
from broker.api import SecretMalformed
from tests.contract.file.writing import PATIENCE_SECONDS, mount, shown, write
from tests.scale import scaled


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


def test_generation_of_the_same_files_is_another_version(backend: FileBackend, directory: Path) -> None:
    """The kubelet's link is looked at, not only what it leads to: even the very same inodes are noticed."""
    mount(directory, "1", client_secret="S3CR3T-same")
    (directory / "..2").mkdir()
    (directory / "..2" / "client_secret").hardlink_to(directory / "..1" / "client_secret")
    before = [backend.version(path, timeout_seconds=PATIENCE_SECONDS) for path in (".", "client_secret")]
    mount(directory, "2")
    after = [backend.version(path, timeout_seconds=PATIENCE_SECONDS) for path in (".", "client_secret")]
    assert [True, True] == [one != two for one, two in zip(before, after, strict=True)]


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="this system does not count what is read")
def test_version_reads_no_content(backend: FileBackend, directory: Path) -> None:
    """A poll costs a few look-ups, whatever the size of the secret, and brings no secret into memory."""
    write(directory / "odc" / "large", b"x" * (MAX_BYTES // 2))

    def bytes_read() -> int:
        return int(Path("/proc/self/io").read_text().split()[1])

    before = bytes_read()
    for path in ("odc", "odc/large"):
        backend.version(path, timeout_seconds=PATIENCE_SECONDS)
    assert MAX_BYTES // 8 > bytes_read() - before
    backend.read("odc", timeout_seconds=PATIENCE_SECONDS)
    assert MAX_BYTES // 2 <= bytes_read() - before


@pytest.mark.soak
def test_swaps_are_never_seen_half(backend: FileBackend, directory: Path) -> None:
    """While generations come and go as fast as can be, each read is one whole generation and none fails.

    The kubelet removes a generation file by file right after the swap.
    """
    mount(directory, "0", client_id="0", client_secret="S3CR3T-0")
    stop = threading.Event()
    swaps = 0

    def swap() -> None:
        nonlocal swaps
        while not stop.wait(0.0005):
            swaps += 1
            mount(directory, str(swaps), client_id=str(swaps), client_secret=f"S3CR3T-{swaps}")
            shutil.rmtree(directory / f"..{swaps - 1}")

    kubelet = threading.Thread(target=swap)
    kubelet.start()
    reads, seen = scaled(short=1000, whole=100_000), list[dict[str, str]]()
    try:
        while len(seen) < reads or swaps < reads // 50:
            seen.append(shown(backend.read(".", timeout_seconds=PATIENCE_SECONDS))[1])
    finally:
        stop.set()
        kubelet.join()
    assert [] == [each for each in seen if each["client_secret"] != f"S3CR3T-{each['client_id']}"]
    assert len({each["client_id"] for each in seen}) > 10


def test_what_is_no_reasonable_file_is_refused(backend: FileBackend, directory: Path) -> None:
    """A pipe would hold the thread for ever, a huge file the memory."""
    os.mkfifo(directory / "pipe", 0o600)
    write(directory / "huge", b"x" * (MAX_BYTES + 1))
    for path in ("pipe", "huge"):
        with pytest.raises(
            SecretMalformed, match="no regular file, or the secret has more than 1048576 bytes"
        ):
            backend.read(path, timeout_seconds=PATIENCE_SECONDS)


def test_secret_of_too_many_bytes_or_files_is_refused(backend: FileBackend, directory: Path) -> None:
    """A directory that was named by mistake is not read into memory."""
    for number in range(3):
        write(directory / "large" / str(number), b"x" * (MAX_BYTES // 2))
    for number in range(MAX_FILES + 1):
        write(directory / "many" / str(number), b"x")
    with pytest.raises(SecretMalformed, match="the secret has more than 1048576 bytes"):
        backend.read("large", timeout_seconds=PATIENCE_SECONDS)
    for ask in (backend.read, backend.version):
        with pytest.raises(SecretMalformed, match=f"{directory}/many: has more than 256 files"):
            ask("many", timeout_seconds=PATIENCE_SECONDS)


def test_same_content_written_again_is_another_version(backend: FileBackend, directory: Path) -> None:
    """The version is what the file system tells; whether the value changed is the broker's to compare."""
    write(directory / "odc", "S3CR3T-same")
    before = backend.version("odc", timeout_seconds=PATIENCE_SECONDS)
    write(directory / "new", "S3CR3T-same").replace(directory / "odc")
    assert before != backend.version("odc", timeout_seconds=PATIENCE_SECONDS)


def test_copy_with_the_time_of_the_original_is_another_version(backend: FileBackend, directory: Path) -> None:
    """`cp -p` and `rsync -t` set the time of modification: that of the change nobody sets."""
    file = write(directory / "odc", "S3CR3T-1")
    about = file.stat()
    before = backend.version("odc", timeout_seconds=PATIENCE_SECONDS)
    write(file, "S3CR3T-2")
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert before != backend.version("odc", timeout_seconds=PATIENCE_SECONDS)
