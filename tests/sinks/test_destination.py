"""What may already be at the destination, and what happens to it."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest

from broker.api import SinkError
from broker.events import LifeCycle
from broker.sinks import mounts
from broker.sinks.replacement import temporaries_of
from broker.testing.observer import RecordingObserver
from tests.sinks.publishing import entries, publication, sink_for, token_text


def identity(path: Path) -> tuple[int, int]:
    """What a write would change."""
    status = path.lstat()
    return status.st_ino, status.st_mtime_ns


def test_equal_content_is_not_written_again(tmp_path: Path) -> None:
    """R-121: inode and time of change stay, so that watchers stay asleep."""
    path, sink = tmp_path / "token", sink_for(tmp_path / "token")
    sink.publish(publication(1))
    before = identity(path)
    sink.publish(publication(1))
    assert before == identity(path)


def test_equal_content_gets_its_mode_back(tmp_path: Path) -> None:
    """R-121: permissions are repaired without a write."""
    path, sink = tmp_path / "token", sink_for(tmp_path / "token")
    sink.publish(publication(1))
    before = identity(path)
    path.chmod(0o666)
    sink.publish(publication(1))
    assert (before, 0o100600) == (identity(path), path.stat().st_mode)


def test_equal_content_gets_its_group_back(tmp_path: Path) -> None:
    """R-121: the group too."""
    if os.geteuid():
        pytest.skip("only root may give a file to any group")
    path, sink = tmp_path / "token", sink_for(tmp_path / "token", group="root")
    sink.publish(publication(1))
    before = identity(path)
    os.chown(path, -1, 12345)
    sink.publish(publication(1))
    assert (before, 0) == (identity(path), path.stat().st_gid)


def test_content_that_somebody_changed_is_replaced(tmp_path: Path) -> None:
    """Equal means the bytes, not what we remember."""
    path, sink = tmp_path / "token", sink_for(tmp_path / "token")
    sink.publish(publication(1))
    path.write_bytes(b"S3CR3T-1--END")
    sink.publish(publication(1))
    assert token_text(1).encode() == path.read_bytes()


def test_a_foreign_file_with_equal_content_is_replaced(tmp_path: Path) -> None:
    """F-35: its owner could change the mode behind our back."""
    if os.geteuid():
        pytest.skip("only root can make a file of somebody else's")
    path = tmp_path / "token"
    path.write_text(token_text(1))
    os.chown(path, 65534, 65534)
    sink_for(path).publish(publication(1))
    assert os.geteuid() == path.stat().st_uid


def test_a_symbolic_link_is_replaced_and_never_followed(tmp_path: Path) -> None:
    """R-119, F-35."""
    (tmp_path / "elsewhere").write_text("untouched")
    (tmp_path / "token").symlink_to("elsewhere")
    sink_for(tmp_path / "token").publish(publication(1))
    assert "untouched" == (tmp_path / "elsewhere").read_text()
    assert not (tmp_path / "token").is_symlink()
    assert token_text(1) == (tmp_path / "token").read_text()


def test_a_hard_linked_file_is_replaced_with_a_warning(tmp_path: Path) -> None:
    """R-119, F-35: the other name keeps what it had, even if that is the same token."""
    (tmp_path / "other").write_text(token_text(1))
    (tmp_path / "token").hardlink_to(tmp_path / "other")
    observer = RecordingObserver()
    sink_for(tmp_path / "token", observer=observer).publish(publication(1))
    assert 1 == (tmp_path / "token").stat().st_nlink
    assert 1 == len([event for event in observer.of(LifeCycle) if "(hard links)" in event.message])


@pytest.mark.parametrize("kind", ["directory", "FIFO", "socket"])
def test_what_is_no_file_is_refused(tmp_path: Path, kind: str) -> None:
    """R-119, F-35: the message says what is there; it stays."""
    path = tmp_path / "token"
    if kind == "directory":
        path.mkdir()
    elif kind == "FIFO":
        os.mkfifo(path)
    else:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    with pytest.raises(SinkError, match=f"{path} is a {kind}, not a file"):
        sink_for(path).publish(publication(1))
    assert ["token"] == entries(tmp_path)


def test_a_symbolic_link_on_the_way_is_refused(tmp_path: Path) -> None:
    """F-34: the message names the link and where it leads."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(SinkError, match=f"{tmp_path}/link is a symbolic link to real"):
        sink_for(tmp_path / "link" / "token").publish(publication(1))
    assert [] == entries(tmp_path / "real")


def test_a_file_on_the_way_is_named(tmp_path: Path) -> None:
    """A component that is no directory."""
    (tmp_path / "file").touch()
    with pytest.raises(SinkError, match=rf"\(at {tmp_path}/file\): Not a directory"):
        sink_for(tmp_path / "file" / "token").publish(publication(1))


def test_a_directory_that_was_deleted_is_made_again(tmp_path: Path) -> None:
    """F-36: the next publication heals it."""
    sink = sink_for(tmp_path / "run" / "token")
    sink.publish(publication(1))
    shutil.rmtree(tmp_path / "run")
    sink.publish(publication(1))
    assert token_text(1) == (tmp_path / "run" / "token").read_text()


def test_withdraw_removes_the_file_once_and_for_all(tmp_path: Path) -> None:
    """R-124: a second time, and without a directory, there is nothing to do."""
    sink = sink_for(tmp_path / "run" / "token", on_expiry="remove")
    sink.publish(publication(1))
    sink.withdraw()
    assert [] == entries(tmp_path / "run")
    sink.withdraw()
    (tmp_path / "run").rmdir()
    sink.withdraw()


def test_withdraw_leaves_what_is_not_ours(tmp_path: Path) -> None:
    """A FIFO at the destination was never published."""
    os.mkfifo(tmp_path / "token")
    sink_for(tmp_path / "token").withdraw()
    assert ["token"] == entries(tmp_path)


def test_close_leaves_the_file(tmp_path: Path) -> None:
    """R-124: a shutdown withdraws nothing."""
    sink = sink_for(tmp_path / "token")
    sink.publish(publication(1))
    sink.close()
    sink.close()
    assert ["token"] == entries(tmp_path)


def test_leftovers_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    """R-116: ours at the first publication, others of ours after an hour, what is not ours never."""
    ours, others = temporaries_of("token"), temporaries_of("other")
    for name in (f"{ours}0123", f"{others}0123", f"{others}4567", ".hidden"):
        (tmp_path / name).write_text("S3CR3T-half")
    os.utime(tmp_path / f"{others}4567", (0, 0))
    os.utime(tmp_path / ".hidden", (0, 0))
    sink_for(tmp_path / "token").publish(publication(1))
    assert sorted([".hidden", f"{others}0123", "token"]) == entries(tmp_path)


def test_files_that_begin_together_share_one_listing_of_their_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-116: what a killed process left of a hundred files is gone; each by itself would list all the others."""
    names = [f"token-{number}" for number in range(100)]
    for name in names:
        (tmp_path / f"{temporaries_of(name)}0123").write_text("S3CR3T-half")
    listings, listdir = 0, os.listdir

    def counted(place: int) -> list[str]:
        nonlocal listings
        listings += 1
        return listdir(place)

    monkeypatch.setattr(os, "listdir", counted)
    for name in names:
        sink_for(tmp_path / name).publish(publication(1))
    assert 1 == listings
    assert sorted(names) == entries(tmp_path)


def test_what_a_failed_publication_left_is_removed_by_the_next(tmp_path: Path) -> None:
    """R-116: whatever was listed before the failure."""
    sink = sink_for(tmp_path / "token")
    (tmp_path / "token").mkdir()
    with pytest.raises(SinkError):
        sink.publish(publication(1))
    (tmp_path / "token").rmdir()
    (tmp_path / f"{temporaries_of('token')}0123").write_text("S3CR3T-half")
    sink.publish(publication(1))
    assert ["token"] == entries(tmp_path)


def test_the_longest_file_name_works(tmp_path: Path) -> None:
    """The temporary name does not grow with it."""
    sink_for(tmp_path / ("n" * 255)).publish(publication(1))
    assert ["n" * 255] == entries(tmp_path)


def test_a_persistent_file_system_is_warned_about_once(tmp_path: Path) -> None:
    """R-125: with its type, and none on a memory file system."""
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        kind = mounts.file_system(descriptor)
    finally:
        os.close(descriptor)
    observer = RecordingObserver()
    sink = sink_for(tmp_path / "token", observer=observer)
    sink.publish(publication(1))
    sink.publish(publication(2))
    warnings = [event.message for event in observer.of(LifeCycle) if event.phase == "warning"]
    assert kind is not None
    assert (0 if kind in mounts.MEMORY else 1) == len([text for text in warnings if f" is on {kind}" in text])


def test_one_warning_is_enough_for_all_files_of_a_directory(tmp_path: Path) -> None:
    """R-125: a thousand tokens in one place have one thing to be said about them."""
    observer = RecordingObserver()
    for name in ("a", "b", "c"):
        sink_for(tmp_path / name, observer=observer).publish(publication(1))
    warnings = [event.message for event in observer.of(LifeCycle) if "memory file system" in event.message]
    assert len(warnings) <= 1


def test_memory_is_known_as_such() -> None:
    """R-125: /dev/shm is a tmpfs wherever Linux runs; a closed descriptor has no file system."""
    if not Path("/dev/shm").is_dir():
        pytest.skip("no /dev/shm here")
    descriptor = os.open("/dev/shm", os.O_RDONLY)
    try:
        kind = mounts.file_system(descriptor)
    finally:
        os.close(descriptor)
    assert kind in mounts.MEMORY
    assert mounts.file_system(999_999) is None
