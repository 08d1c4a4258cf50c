"""The socket in the file system."""

from __future__ import annotations

import os
import socket
import stat
import threading
from pathlib import Path

import pytest

from broker.errors import ConfigError
from broker.server.socket_file import MAX_PATH_BYTES, SocketFile, SocketInUse, bind
from tests.server.running import needs_root

KEY = "socket.path"


def listen(path: Path, *, mode: int = 0o660, gid: int | None = None) -> SocketFile:
    """Bind as the server does."""
    return bind(path, mode=mode, gid=gid, key=KEY)


def fault_of(path: Path) -> str:
    """The message of the one fault."""
    with pytest.raises(ConfigError) as caught:
        listen(path)
    (fault,) = caught.value.faults
    assert KEY == fault.path
    return fault.message


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
def test_mode_and_group(socket_directory: Path, mode: int) -> None:
    """Mode and group are exactly those asked for; nothing else is left in the directory."""
    needs_root()
    path = socket_directory / "s"
    file = listen(path, mode=mode, gid=4321)
    status = path.lstat()
    assert (mode, 4321) == (stat.S_IMODE(status.st_mode), status.st_gid)
    assert [path] == list(socket_directory.iterdir())
    file.close()
    assert [] == list(socket_directory.iterdir())


def test_never_reachable_with_other_rights(socket_directory: Path) -> None:
    """A client that tries all the time connects only once mode and group are final (R-129)."""
    needs_root()
    path = socket_directory / "s"
    seen: set[tuple[int, int]] = set()
    stop = threading.Event()

    def attack() -> None:
        while not stop.is_set():
            for name in socket_directory.iterdir():
                try:
                    with socket.socket(socket.AF_UNIX) as client:
                        client.connect(str(name))
                    status = name.lstat()
                    seen.add((stat.S_IMODE(status.st_mode), status.st_gid))
                except OSError:
                    continue

    attacker = threading.Thread(target=attack)
    attacker.start()
    try:
        for _ in range(100):
            listen(path, mode=0o600, gid=4321).close()
    finally:
        stop.set()
        attacker.join()
    assert seen <= {(0o600, 4321)}


def test_a_stale_socket_is_replaced(socket_directory: Path) -> None:
    """What a killed daemon of ours left is replaced (R-130)."""
    path = socket_directory / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    file = listen(path)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    file.close()


def test_a_live_socket_is_left_alone(socket_directory: Path) -> None:
    """Where somebody answers we do not start, and the socket stays as it is (R-130, R-010)."""
    path = socket_directory / "s"
    file = listen(path)
    inode = path.lstat().st_ino
    with pytest.raises(SocketInUse, match=str(path)):
        listen(path)
    assert inode == path.lstat().st_ino
    file.close()


def test_another_users_stale_socket(socket_directory: Path) -> None:
    """It is not ours to remove; the message says whose it is (R-130)."""
    needs_root()
    path = socket_directory / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    os.chown(path, 1000, 1000)
    assert "uid 1000" in fault_of(path)
    assert path.exists()


def test_something_else_in_the_way(socket_directory: Path) -> None:
    """A file is never removed for a socket (R-130)."""
    path = socket_directory / "s"
    path.write_text("precious")
    assert "not a socket" in fault_of(path)
    assert "precious" == path.read_text()


def test_a_path_that_is_too_long(socket_directory: Path) -> None:
    """107 bytes are the most, and so many do work (R-130)."""
    longest = socket_directory / "x".ljust(MAX_PATH_BYTES - len(str(socket_directory)) - 1, "x")
    assert MAX_PATH_BYTES == len(str(longest))
    listen(longest).close()
    assert "107" in fault_of(longest.with_name(longest.name + "x"))


def test_a_directory_that_is_missing(socket_directory: Path) -> None:
    """The message names the path and the system's reason."""
    message = fault_of(socket_directory / "missing" / "s")
    assert str(socket_directory / "missing" / "s") in message
    assert "No such file" in message


def test_only_our_own_name_is_removed(socket_directory: Path) -> None:
    """A name that has become somebody else's stays."""
    path = socket_directory / "s"
    first = listen(path)
    path.unlink()
    second = listen(path)
    first.close()
    assert path.is_socket()
    second.close()
    assert not path.exists()
