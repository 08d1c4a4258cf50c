"""The name of the socket is removed under a running server."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from broker.server.socket_file import SocketInUse
from tests.server.conftest import Served


def restored(served: Served) -> bool:
    """Have the server look after its name."""
    return served.loop.do(served.server.restore_name)


def test_a_removed_name_comes_back_with_its_mode(served: Served) -> None:
    """F-36: who is connected stays so, and others connect again."""
    with served.client() as before:
        served.path.unlink()
        assert restored(served)
        assert 0o666 == stat.S_IMODE(served.path.stat().st_mode)
        with served.client() as after:
            assert 200 == after.ask("/v1/tokens/deploy").status
        assert 200 == before.ask("/v1/tokens/deploy").status


def test_a_name_that_is_there_is_left_alone(served: Served) -> None:
    """Nothing is bound anew without need."""
    before = served.path.stat().st_ino
    assert not restored(served)
    assert before == served.path.stat().st_ino


def test_the_name_of_another_server_is_left_alone(served: Served) -> None:
    """Whoever answers there is not pushed aside; we go on with the clients we have."""
    served.path.unlink()
    with socket.socket(socket.AF_UNIX) as another:
        another.bind(str(served.path))
        another.listen()
        with pytest.raises(SocketInUse):
            restored(served)


def test_a_restored_name_is_removed_at_the_end(served: Served) -> None:
    """As the first one would be; descriptors of the old one are gone."""
    served.path.unlink()
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    assert restored(served)
    assert descriptors == len(list(Path("/proc/self/fd").iterdir()))
    served.loop.run(served.server.stop())
    assert not served.path.exists()
