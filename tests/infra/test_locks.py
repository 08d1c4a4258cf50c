"""One daemon per runtime directory."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from broker.infra.locks import AlreadyRunning, RuntimeLock

HOLD = """
import sys
from pathlib import Path
from broker.infra.locks import RuntimeLock
RuntimeLock(Path(sys.argv[1])).acquire()
print("held", flush=True)
sys.stdin.read()
"""


def test_the_second_is_told_which_directory(tmp_path: Path) -> None:
    """Whoever comes second fails at once, and the message names the directory (R-010)."""
    with RuntimeLock(tmp_path / "lock"), pytest.raises(AlreadyRunning, match=str(tmp_path)):
        RuntimeLock(tmp_path / "lock").acquire()


def test_released_locks_can_be_taken(tmp_path: Path) -> None:
    """After the release the next one gets it; the file stays, for its owner only."""
    path = tmp_path / "lock"
    for _ in range(2):
        with RuntimeLock(path):
            assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert path.exists()


def test_the_kernel_releases_the_lock_of_the_dead(tmp_path: Path) -> None:
    """A lock does not outlive its process, killed or not."""
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert b"held\n" == holder.stdout.readline()
        with pytest.raises(AlreadyRunning):
            RuntimeLock(path).acquire()
        holder.kill()
        holder.wait()
    with RuntimeLock(path):
        pass


def test_children_do_not_inherit_the_lock(tmp_path: Path) -> None:
    """A program that the daemon starts, and that outlives it, must not keep the next daemon out."""
    lock = RuntimeLock(tmp_path / "lock")
    lock.acquire()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False) as child:
        lock.release()
        with RuntimeLock(tmp_path / "lock"):
            pass
        child.communicate()


def test_a_symlink_is_not_followed(tmp_path: Path) -> None:
    """A planted link does not make us create or lock a file elsewhere."""
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        RuntimeLock(tmp_path / "lock").acquire()
    assert not (tmp_path / "elsewhere").exists()


def test_release_twice(tmp_path: Path) -> None:
    """Releasing again closes nobody else's descriptor."""
    lock = RuntimeLock(tmp_path / "lock")
    lock.acquire()
    lock.release()
    descriptor = os.open(os.devnull, os.O_RDONLY)
    lock.release()
    os.close(descriptor)
