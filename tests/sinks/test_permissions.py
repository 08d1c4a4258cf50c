"""Who may read a token file, and which directories are good enough for one."""

from __future__ import annotations

import grp
import os
import re
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.api import SinkError
from broker.sinks.replacement import Access
from tests.sinks.publishing import entries, publication, sink_for
from tests.waiting import eventually

NOBODY = 65534


def mode_of(path: Path) -> int:
    """The permission bits of the entry itself."""
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture
def any_umask() -> Iterator[None]:
    """Puts the umask back."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def own_group() -> str:
    """The name of a group that this process may give files to."""
    return grp.getgrgid(os.getegid()).gr_name


@pytest.fixture
def foreign_group() -> str:
    """The name of another group; only root may give files to it."""
    if os.geteuid():
        pytest.skip("only root may give a file to any group")
    return next(entry.gr_name for entry in grp.getgrall() if entry.gr_gid not in {0, os.getegid()})


@pytest.mark.usefixtures("any_umask")
@pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
@pytest.mark.parametrize("mode", [None, 0o400, 0o640, 0o644])
def test_the_mode_is_exact_whatever_the_umask(tmp_path: Path, umask: int, mode: int | None) -> None:
    """R-118, F-35: 0600 by default, else as configured."""
    os.umask(umask)
    sink_for(tmp_path / "token", mode=mode).publish(publication(1))
    assert (0o600 if mode is None else mode) == mode_of(tmp_path / "token")


@pytest.mark.usefixtures("any_umask")
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_directories_that_we_make_can_be_passed_by_readers(tmp_path: Path, umask: int) -> None:
    """F-35, F-36: 0755 whatever the umask, since the file's mode protects the token."""
    os.umask(umask)
    sink_for(tmp_path / "a" / "b" / "token").publish(publication(1))
    assert [0o755, 0o755] == [mode_of(tmp_path / "a"), mode_of(tmp_path / "a" / "b")]


def test_with_a_group_the_default_mode_lets_it_read(tmp_path: Path, own_group: str) -> None:
    """0640 with a group."""
    sink_for(tmp_path / "token", group=own_group).publish(publication(1))
    assert 0o640 == mode_of(tmp_path / "token")


def test_the_file_is_given_to_the_group(tmp_path: Path, foreign_group: str) -> None:
    """R-118: the group is the configured one."""
    sink_for(tmp_path / "token", group=foreign_group).publish(publication(1))
    assert foreign_group == (tmp_path / "token").group()


def test_a_directory_with_the_setgid_bit_gives_the_group(tmp_path: Path, foreign_group: str) -> None:
    """R-162: files inherit the group there."""
    os.chown(tmp_path, -1, grp.getgrnam(foreign_group).gr_gid)
    tmp_path.chmod(0o2755)
    sink_for(tmp_path / "token", group=foreign_group).publish(publication(1))
    assert (foreign_group, 0o640) == ((tmp_path / "token").group(), mode_of(tmp_path / "token"))


def test_an_unknown_group_is_named(tmp_path: Path) -> None:
    """The message says what to do; nothing is written."""
    with pytest.raises(SinkError, match=r"/token: group no-such-group does not exist: create it"):
        sink_for(tmp_path / "token", group="no-such-group").publish(publication(1))
    assert [] == entries(tmp_path)


def test_a_group_that_we_may_not_give_is_named_with_the_fix(tmp_path: Path, foreign_group: str) -> None:
    """R-118: fchown needs membership or privilege; a set-group-ID directory needs neither."""
    access = Access(mode=0o640, gid=grp.getgrnam(foreign_group).gr_gid, group=foreign_group)
    descriptor = os.open(tmp_path / "token", os.O_WRONLY | os.O_CREAT, 0o600)
    os.fchown(descriptor, NOBODY, NOBODY)
    try:
        os.seteuid(NOBODY)
        with pytest.raises(
            SinkError, match=f"may not give the file to group {foreign_group}: make the broker"
        ):
            access.grant(descriptor)
    finally:
        os.seteuid(0)
        os.close(descriptor)


def test_the_name_is_never_seen_with_another_mode(tmp_path: Path) -> None:
    """R-118: mode and group are set before the name is there."""
    path, sink = tmp_path / "token", sink_for(tmp_path / "token", mode=0o440)
    seen: set[int] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            try:
                seen.add(mode_of(path))
            except FileNotFoundError:
                continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for number in range(300):
            sink.withdraw()
            sink.publish(publication(number))
        eventually(lambda: seen, what="the watcher saw the file")
    finally:
        done.set()
        watcher.join()
    assert {0o440} == seen


@pytest.mark.parametrize("mode", [0o777, 0o757])
def test_a_directory_that_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    """R-117: the message names path, owner and mode."""
    tmp_path.chmod(mode)
    with pytest.raises(SinkError, match=rf"{tmp_path} \(owner \w+, mode 0{mode:o}\) is writable by others"):
        sink_for(tmp_path / "token").publish(publication(1))
    assert [] == entries(tmp_path)


def test_a_sticky_directory_is_good_enough(tmp_path: Path) -> None:
    """R-117: like /tmp, where each one's entries are protected."""
    tmp_path.chmod(0o1777)
    sink_for(tmp_path / "token").publish(publication(1))
    assert (tmp_path / "token").exists()


def test_a_directory_that_a_foreign_group_may_write_is_refused(tmp_path: Path, foreign_group: str) -> None:
    """R-117: a group other than the primary group of the owner."""
    os.chown(tmp_path, -1, grp.getgrnam(foreign_group).gr_gid)
    tmp_path.chmod(0o770)
    with pytest.raises(SinkError, match="is writable by group"):
        sink_for(tmp_path / "token").publish(publication(1))


def test_the_owners_primary_group_may_write(tmp_path: Path) -> None:
    """R-117: user-private groups are usual."""
    tmp_path.chmod(0o775)
    sink_for(tmp_path / "token").publish(publication(1))
    assert (tmp_path / "token").exists()


def test_below_a_directory_that_others_may_write_our_own_is_good_enough(tmp_path: Path) -> None:
    """A Kubernetes emptyDir has mode 0777; the directory that we make in it is ours."""
    tmp_path.chmod(0o777)
    sink_for(tmp_path / "tokens" / "deploy").publish(publication(1))
    assert (tmp_path / "tokens" / "deploy").exists()


@pytest.mark.parametrize("mode", [0o777, 0o1777])
def test_below_a_directory_that_others_may_write_a_planted_one_is_refused(tmp_path: Path, mode: int) -> None:
    """F-34: whoever can make or swap the directory cannot make us write into theirs."""
    if os.geteuid():
        pytest.skip("only root can make a directory of somebody else's")
    tmp_path.chmod(mode)
    (tmp_path / "tokens").mkdir()
    os.chown(tmp_path / "tokens", NOBODY, NOBODY)
    with pytest.raises(SinkError, match="where others can make one"):
        sink_for(tmp_path / "tokens" / "deploy").publish(publication(1))
    assert [] == entries(tmp_path / "tokens")


def test_a_directory_that_refuses_us_is_named_with_owner_and_mode(tmp_path: Path) -> None:
    """F-34: so that the message alone shows what is wrong."""
    if os.geteuid():
        pytest.skip("root is refused nothing; this needs a process that can give its rights away")
    try:
        os.seteuid(NOBODY)
        with pytest.raises(SinkError, match="Permission denied: give the broker's user") as refused:
            sink_for(tmp_path / "new" / "token").publish(publication(1))
    finally:
        os.seteuid(0)
    named = re.search(r"\(at (?P<path>/[^,]+), owner root, mode (?P<mode>07\d\d)\)", refused.value.message)
    assert named is not None, refused.value.message
    assert tmp_path.is_relative_to(named["path"])
    assert int(named["mode"], 8) == mode_of(Path(named["path"]))
