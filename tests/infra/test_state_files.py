"""The files of the token cache, on a real file system: who may own them, and what survives a kill."""

from __future__ import annotations

import os
import random
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.infra.boot import boot_id
from broker.infra.key_file import StateFileRefused
from broker.infra.state_files import LONGEST_ENTRY_BYTES, StateFiles
from tests.waiting import eventually

NOBODY = 65_534

WRITE_FOR_EVER = """
import sys
from broker.infra.state_files import StateFiles
files, turn = StateFiles(sys.argv[1]), 0
while True:
    files.write("deploy", b"%d." % turn + b"x" * 20_000 + b".%d" % turn)
    if turn == 0:
        print("writing", flush=True)
    turn += 1
"""


@pytest.fixture
def files(tmp_path: Path) -> StateFiles:
    """Below a state directory of the test."""
    return StateFiles(str(tmp_path))


@pytest.fixture
def cache(tmp_path: Path, files: StateFiles) -> Path:
    """The directory, with one entry."""
    files.write("deploy", b"sealed")
    return tmp_path / "cache"


def test_what_was_written_is_read(files: StateFiles) -> None:
    """And replaced as a whole."""
    assert files.read("deploy") is None
    for content in (b"first, and longer", b"second"):
        files.write("deploy", content)
        assert content == files.read("deploy")


def test_entries_are_for_their_owner_only(cache: Path) -> None:
    """Whatever the umask, and whatever a directory was before."""
    assert 0o700 == stat.S_IMODE(cache.stat().st_mode)
    assert 0o600 == stat.S_IMODE((cache / "deploy.jwe").stat().st_mode)
    cache.chmod(0o755)
    before = os.umask(0o000)
    try:
        StateFiles(str(cache.parent)).write("deploy", b"again")
    finally:
        os.umask(before)
    assert 0o700 == stat.S_IMODE(cache.stat().st_mode)
    assert 0o600 == stat.S_IMODE((cache / "deploy.jwe").stat().st_mode)


def test_removal_is_of_one_name_and_needs_nothing_there(cache: Path, files: StateFiles) -> None:
    """Twice is fine."""
    files.write("other", b"sealed")
    for _ in range(2):
        files.remove("deploy")
    assert ["other.jwe"] == names_in(cache)


def names_in(directory: Path) -> list[str]:
    """What lies there."""
    return sorted(each.name for each in directory.iterdir())


def link(entry: Path) -> None:
    """To a file that would be fine itself."""
    entry.rename(entry.with_suffix(".real"))
    entry.symlink_to(entry.with_suffix(".real"))


def grow(entry: Path) -> None:
    """By one byte too many."""
    entry.write_bytes(b"x" * (LONGEST_ENTRY_BYTES + 1))


def pipe(entry: Path) -> None:
    """That nobody writes to."""
    entry.unlink()
    os.mkfifo(entry)


def directory(entry: Path) -> None:
    """In the file's place."""
    entry.unlink()
    entry.mkdir()


def give_away(entry: Path) -> None:
    """To somebody else."""
    os.chown(entry, NOBODY, NOBODY)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (link, "is a symbolic link"),
        (grow, "is larger than the 65536 bytes of any entry"),
        (pipe, "is no regular file"),
        (directory, "is no regular file"),
        pytest.param(give_away, f"belongs to uid {NOBODY}, not to the broker", marks=needs_root),
    ],
)
def test_file_that_is_not_plainly_ours_is_refused(
    cache: Path, files: StateFiles, harm: Callable[[Path], None], reason: str
) -> None:
    """R-009, F-51: unread, with path and reason; the next write takes its place, except a directory's."""
    entry = cache / "deploy.jwe"
    harm(entry)
    with pytest.raises(StateFileRefused) as caught:
        files.read("deploy")
    assert f"{entry}: {reason}" in str(caught.value) or f"{entry}: Is a directory" == str(caught.value)
    if harm is directory:
        with pytest.raises(StateFileRefused, match="Is a directory"):
            files.write("deploy", b"new")
        assert ["deploy.jwe"] == names_in(cache)
    else:
        files.write("deploy", b"new")
        assert b"new" == files.read("deploy")


def test_directory_that_is_a_link_is_refused(tmp_path: Path, cache: Path, files: StateFiles) -> None:
    """Nothing is read from, written to or removed from where it leads."""
    cache.rename(tmp_path / "elsewhere")
    cache.symlink_to(tmp_path / "elsewhere")
    calls: tuple[Callable[[], object], ...] = (
        lambda: files.read("deploy"),
        lambda: files.write("deploy", b"new"),
        lambda: files.remove("deploy"),
        lambda: files.remove_all_but(()),
    )
    for call in calls:
        with pytest.raises(StateFileRefused, match="Not a directory"):
            call()
    assert b"sealed" == (tmp_path / "elsewhere" / "deploy.jwe").read_bytes()


@needs_root
def test_directory_of_somebody_else_is_refused(cache: Path, files: StateFiles) -> None:
    """Whoever owns it can put there what they like."""
    os.chown(cache, NOBODY, NOBODY)
    with pytest.raises(StateFileRefused, match=f"{cache}: belongs to uid {NOBODY}"):
        files.read("deploy")


def test_orphans_and_leftovers_of_ours_are_removed(cache: Path, files: StateFiles, tmp_path: Path) -> None:
    """By pattern, and only plain files; the rest is somebody's."""
    (cache / "link.jwe").symlink_to(tmp_path)
    (cache / "directory.jwe").mkdir()
    for name in ("gone.jwe", ".gone.jwe.0123456789abcdef", ".deploy.jwe.0123456789abcdef", "-x.jwe", "notes"):
        (cache / name).touch()
    files.remove_all_but({"deploy"})
    assert ["-x.jwe", "deploy.jwe", "directory.jwe", "link.jwe", "notes"] == names_in(cache)


def test_full_disk_leaves_the_old_entry_and_no_leftover(cache: Path, files: StateFiles) -> None:
    """A write that the system refuses half-way, here by a limit on file sizes."""
    program = (
        "import resource, signal, sys\n"
        "from broker.infra.state_files import StateFiles\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "StateFiles(sys.argv[1]).write('deploy', b'x' * 20_000)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, cache.parent], capture_output=True, text=True, check=False
    )
    assert f"{cache / 'deploy.jwe'}: File too large" in done.stderr
    assert ["deploy.jwe"] == names_in(cache)
    assert b"sealed" == files.read("deploy")


def test_killed_while_writing_leaves_one_whole_entry(tmp_path: Path, files: StateFiles) -> None:
    """R-177: twenty SIGKILLs at random moments of an endless writer."""
    moments = random.Random(177)
    for _ in range(20):
        with subprocess.Popen(
            [sys.executable, "-c", WRITE_FOR_EVER, tmp_path], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            assert b"writing\n" == writer.stdout.readline()
            with pytest.raises(subprocess.TimeoutExpired):
                writer.wait(moments.uniform(0, 0.05))
            writer.send_signal(signal.SIGKILL)
        head, body, tail = (files.read("deploy") or b"").split(b".")
        assert head == tail
        assert b"x" * 20_000 == body
        files.remove_all_but({"deploy"})
        assert ["deploy.jwe"] == names_in(tmp_path / "cache")


def test_key_file_is_read_through_links(tmp_path: Path, files: StateFiles) -> None:
    """A mounted Kubernetes Secret is one; that everybody can read it is told."""
    (tmp_path / "data").write_text("S3CR3T-key\n")
    (tmp_path / "key").symlink_to("data")
    told: list[str] = []
    (tmp_path / "data").chmod(0o640)
    assert "S3CR3T-key\n" == files.read_key(str(tmp_path / "key"), warn=told.append).reveal()
    assert [] == told
    (tmp_path / "data").chmod(0o644)
    files.read_key(str(tmp_path / "key"), warn=told.append)
    assert [f"{tmp_path}/key can be read by everybody (mode 0644)"] == told


def test_key_file_that_cannot_be_one_is_refused(tmp_path: Path, files: StateFiles) -> None:
    """Missing, a pipe, a directory, too large."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"x" * 5000)
    for name, reason in {
        "missing": "No such file or directory",
        "pipe": "is no regular file of at most 4096 bytes",
        "large": "is no regular file of at most 4096 bytes",
        ".": "is no regular file of at most 4096 bytes",
    }.items():
        with pytest.raises(StateFileRefused, match=reason):
            files.read_key(str(tmp_path / name), warn=lambda _: None)


def test_boot_is_the_same_as_long_as_the_machine_runs() -> None:
    """Also for another process."""
    other = [sys.executable, "-c", "from broker.infra.boot import boot_id; print(boot_id())"]
    found = eventually(lambda: subprocess.check_output(other, text=True), what="the other process")
    assert f"{boot_id()}\n" == found
