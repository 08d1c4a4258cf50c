"""What the daemon makes of a runtime directory that is not as it left it; tests/publishing deletes it for real."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from broker.app import process
from broker.app.runtime_directory import RuntimeDirectory
from broker.config.schema import BrokerTable
from broker.events import LifeCycle
from broker.infra.locks import AlreadyRunning, RuntimeLock
from broker.server.socket_file import SocketInUse
from broker.testing.observer import RecordingObserver


@dataclass
class FakeServer:
    """Has lost its name as often as it says."""

    lost: int = 0
    taken: bool = False

    def restore_name(self) -> bool:
        if self.taken:
            raise SocketInUse("another process answers")
        self.lost -= 1
        return self.lost >= 0


@dataclass
class Scene:
    """A daemon's directory, its lock held."""

    path: Path
    directory: RuntimeDirectory
    observer: RecordingObserver
    server: FakeServer

    def look(self) -> list[str]:
        """Look once; the warnings so far."""
        self.directory.look(self.server)
        return [event.message for event in self.observer.of(LifeCycle)]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """As the daemon starts."""
    table = BrokerTable(runtime_dir=str(tmp_path / "run"), state_dir=str(tmp_path / "state"))
    observer = RecordingObserver()
    with ExitStack() as locks:
        process.lock_directories(table, locks)
        yield Scene(tmp_path / "run", RuntimeDirectory(table, locks, observer), observer, FakeServer())


def test_a_directory_as_it_should_be_is_not_worth_a_word(scene: Scene) -> None:
    """However often one looks."""
    assert [] == [*scene.look(), *scene.look()]


def test_a_deleted_directory_is_made_and_locked_again(scene: Scene) -> None:
    """F-36: another instance is kept out as before; told once."""
    shutil.rmtree(scene.path)
    (told,) = scene.look()
    assert f"{scene.path} or something in it was deleted, and is there again" == told
    assert 0o755 == stat.S_IMODE(scene.path.stat().st_mode)
    with pytest.raises(AlreadyRunning):
        RuntimeLock(scene.path / "lock").acquire()
    assert [told] == scene.look()


def test_a_lost_name_is_told(scene: Scene) -> None:
    """F-36: the socket alone."""
    scene.server.lost = 1
    assert 1 == len(scene.look())
    assert 1 == len(scene.look())


def test_trouble_is_told_once_while_it_lasts(scene: Scene) -> None:
    """F-36: what cannot be made again is an alarm, and healed when it can."""
    shutil.rmtree(scene.path)
    scene.path.write_text("in the way")
    told = scene.look()
    assert 1 == len(told)
    assert told[0].startswith(f"broker.runtime_dir: {scene.path} cannot be used")
    assert told == scene.look()
    scene.path.unlink()
    assert 2 == len(scene.look())


def test_another_instance_that_took_the_socket_is_an_alarm(scene: Scene) -> None:
    """It came while the lock was gone; it is not pushed aside."""
    scene.server.taken = True
    assert ["another process answers"] == scene.look()
    assert ["another process answers"] == scene.look()
