"""A signal to the process that a pid file names, and to no other."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.errors import HookError
from broker.sinks.pid_files import PidFile, start_of_process
from tests.sinks.listener import listening
from tests.waiting import eventually


@pytest.fixture
def received(tmp_path: Path) -> Path:
    """Where the listener writes."""
    return tmp_path / "received"


@pytest.fixture
def listener(received: Path) -> Iterator[int]:
    """A running listener of our own user."""
    with listening(received) as pid:
        yield pid


@pytest.mark.parametrize("content", ["{}", "{}\n", " {} \n"])
def test_the_process_gets_the_signal(tmp_path: Path, received: Path, listener: int, content: str) -> None:
    """With or without a newline, as programs write it."""
    pid_file = tmp_path / "app.pid"
    pid_file.write_text(content.format(listener))
    PidFile(str(pid_file)).send(signal.SIGHUP)
    assert eventually(received.exists, what="SIGHUP")


@pytest.mark.parametrize(
    "content", ["", "0", "1", "-1", "-{}", "{} 1", "{}\n1", "0x10", "9" * 11, "٣٣٣", "app"]
)
def test_what_is_no_number_above_one_is_refused(tmp_path: Path, listener: int, content: str) -> None:
    """interface.md 7: 0 and negative numbers would reach whole groups, 1 the system's first process."""
    pid_file = tmp_path / "app.pid"
    pid_file.write_text(content.format(listener))
    with pytest.raises(HookError) as refusal:
        PidFile(str(pid_file)).send(signal.SIGHUP)
    assert f"{pid_file} does not hold a process number above 1" == refusal.value.message


def test_a_stale_pid_file_is_told_as_such(tmp_path: Path, received: Path) -> None:
    """The program has ended."""
    with listening(received) as pid:
        pass
    pid_file = tmp_path / "app.pid"
    pid_file.write_text(str(pid))
    with pytest.raises(HookError) as refusal:
        PidFile(str(pid_file)).send(signal.SIGHUP)
    assert f"{pid_file}: there is no process {pid}: is the program running?" == refusal.value.message


def test_a_missing_pid_file_is_told_as_such(tmp_path: Path) -> None:
    """The program has not begun."""
    with pytest.raises(
        HookError, match=r"app\.pid cannot be read: No such file or directory: is the program running"
    ):
        PidFile(f"{tmp_path}/app.pid").send(signal.SIGHUP)


@pytest.mark.parametrize("kind", ["symlink", "fifo", "directory"])
def test_only_a_file_is_read(tmp_path: Path, received: Path, listener: int, kind: str) -> None:
    """Neither a link, which could lead to the pid file of another program, nor a pipe, which could hold us."""
    pid_file = tmp_path / "app.pid"
    if kind == "symlink":
        (tmp_path / "real.pid").write_text(str(listener))
        pid_file.symlink_to("real.pid")
    elif kind == "fifo":
        os.mkfifo(pid_file)
    else:
        pid_file.mkdir()
    with pytest.raises(HookError, match=r"app\.pid is (a symbolic link: name the file itself|not a file)"):
        PidFile(str(pid_file)).send(signal.SIGHUP)
    assert not received.exists()


@pytest.mark.parametrize(("mode", "writers"), [(0o666, "others"), (0o646, "others")])
def test_a_file_that_others_may_write_is_refused(
    tmp_path: Path, listener: int, mode: int, writers: str
) -> None:
    """Any of them could choose who gets the signal."""
    pid_file = tmp_path / "app.pid"
    pid_file.write_text(str(listener))
    pid_file.chmod(mode)
    with pytest.raises(HookError) as refusal:
        PidFile(str(pid_file)).send(signal.SIGHUP)
    assert (
        f"mode {mode:04o}) is writable by {writers}: it is not believed; chmod o-w it"
        in refusal.value.message
    )
    assert refusal.value.message.startswith(f"{pid_file} (owner ")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away: run as root")
class TestAsRoot:
    """Strangers."""

    STRANGER = 12_345

    def test_the_pid_file_of_a_stranger_is_refused(
        self, tmp_path: Path, received: Path, listener: int
    ) -> None:
        """interface.md 7: with path, owner and mode, and whom it should belong to."""
        pid_file = tmp_path / "app.pid"
        pid_file.write_text(str(listener))
        pid_file.chmod(0o644)
        os.chown(pid_file, self.STRANGER, -1)
        with pytest.raises(HookError) as refusal:
            PidFile(str(pid_file)).send(signal.SIGHUP)
        assert (
            f"{pid_file} (owner uid {self.STRANGER}, mode 0644) belongs neither to root nor to the broker nor to "
            f"the user of process {listener} (root): it is not believed; let one of them write it"
        ) == refusal.value.message
        assert not received.exists()

    def test_a_program_may_write_its_own_pid_file(self, tmp_path: Path) -> None:
        """interface.md 7: the target's uid; whoever owns both gains nothing."""
        place = Path(f"/tmp/token-broker-test-{os.getpid()}")
        place.mkdir()
        os.chown(place, self.STRANGER, -1)
        received, pid_file = place / "received", place / "app.pid"
        try:
            with listening(received, user=self.STRANGER) as pid:
                pid_file.write_text(str(pid))
                os.chown(pid_file, self.STRANGER, -1)
                PidFile(str(pid_file)).send(signal.SIGHUP)
                assert eventually(received.exists, what="SIGHUP")
        finally:
            for each in (received, pid_file):
                each.unlink(missing_ok=True)
            place.rmdir()

    def test_a_group_of_strangers_may_not_write_it(self, tmp_path: Path, listener: int) -> None:
        """A group that is just the owner's own is no stranger."""
        pid_file = tmp_path / "app.pid"
        pid_file.write_text(str(listener))
        pid_file.chmod(0o664)
        PidFile(str(pid_file)).send(signal.SIGWINCH)
        os.chown(pid_file, -1, self.STRANGER)
        with pytest.raises(HookError, match=f"is writable by group {self.STRANGER}: it is not believed"):
            PidFile(str(pid_file)).send(signal.SIGWINCH)


def test_a_number_that_was_given_again_is_refused_until_the_file_is_written(
    tmp_path: Path, received: Path, listener: int
) -> None:
    """A process that has the number of the one signalled before, and is not the one that wrote it there."""
    starts = iter([1000, 1000, 2000, 2000])
    file = tmp_path / "app.pid"
    file.write_text(str(listener))
    pid_file = PidFile(str(file), start_of=lambda _: next(starts))
    pid_file.send(signal.SIGHUP)
    pid_file.send(signal.SIGHUP)
    eventually(received.exists, what="SIGHUP")
    with pytest.raises(HookError) as refusal:
        pid_file.send(signal.SIGKILL)
    assert (
        f"{file}: process {listener} is another one than was signalled before, and the file was not written since: "
        "the program ended and its number was given again; start it, and let it write the file"
    ) == refusal.value.message
    file.unlink()
    file.write_text(str(listener))
    pid_file.send(signal.SIGHUP)


@pytest.mark.parametrize("starts", [[1000, None], [None, 1000], [None, None]])
def test_where_the_kernel_hides_when_a_process_began_the_file_is_believed(
    tmp_path: Path, listener: int, starts: list[int | None]
) -> None:
    """A program that is never told is worse than one that is told wrongly."""
    given = iter(starts)
    file = tmp_path / "app.pid"
    file.write_text(str(listener))
    pid_file = PidFile(str(file), start_of=lambda _: next(given))
    pid_file.send(signal.SIGHUP)
    pid_file.send(signal.SIGHUP)


def test_a_process_begins_once_and_exec_is_no_beginning(tmp_path: Path) -> None:
    """Programs write their pid file before they replace themselves, or after."""
    go = tmp_path / "go"
    os.mkfifo(go)
    with subprocess.Popen(["/bin/sh", "-c", 'read -r word <"$1"; exec sleep 60', "sh", str(go)]) as program:
        before = start_of_process(program.pid)
        go.write_text("go\n")
        command = Path(f"/proc/{program.pid}/comm")
        eventually(lambda: command.read_text() == "sleep\n", what="exec")
        after = start_of_process(program.pid)
        program.kill()
    assert before is not None
    assert (before, None) == (after, start_of_process(program.pid))
    assert before >= (start_of_process(os.getpid()) or 0)
