"""Peers from other user namespaces (R-132, F-40)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cache import require_namespaces
from tests.server.conftest import Serve
from tests.server.running import as_stranger, needs_root, request
from tests.servers.process import Child

ROOT = Path(__file__).parents[2]
GET = request("/v1/tokens/deploy")
OVERFLOW_UID = Path("/proc/sys/kernel/overflowuid").read_text().strip()


@contextmanager
def serving(path: Path, *arguments: str, prefix: Sequence[str] = ()) -> Iterator[None]:
    """The server as a process, started by `prefix`."""
    child = Child(
        [*prefix, sys.executable, "-m", "tests.server.serving", path, *arguments],
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT)},
        log=path.with_suffix(".log"),
    )
    try:
        child.wait_until(path.is_socket, timeout=30.0, what="the server is there")
        yield
    finally:
        child.stop(grace_seconds=1.0)  # `unshare --fork` does not pass the request on


@pytest.fixture
def unshare() -> str:
    """The command, where user namespaces may be made."""
    needs_root()
    return str(require_namespaces("-Ur"))


def test_users_that_do_not_exist_here(unshare: str, socket_directory: Path) -> None:
    """In a namespace that knows one user, all others look alike, and none of them is let in by that look."""
    path = socket_directory / "s"
    with serving(path, OVERFLOW_UID, "1000", "1001", prefix=[unshare, "-Ur"]):
        answers = [as_stranger(path, GET, uid=uid, gids=(uid,)) for uid in (1000, 1001)]
    assert [True, True] == [answer.startswith(b"HTTP/1.1 403 ") for answer in answers]
    assert b"S3CR3T" not in b"".join(answers)


def test_the_same_users_outside(unshare: str, socket_directory: Path) -> None:
    """Where they exist, the rule decides."""
    path = socket_directory / "s"
    with serving(path, "1000"):
        answers = [as_stranger(path, GET, uid=uid, gids=(uid,)) for uid in (1000, 1001)]
    assert [b"HTTP/1.1 200", b"HTTP/1.1 403"] == [answer[:12] for answer in answers]


def test_root_of_a_namespace_is_who_made_it(unshare: str, serve: Serve) -> None:
    """A user who has become root in a namespace of its own is still that user to us."""
    served = serve()
    served.mint("deploy")
    answer = subprocess.run(
        [sys.executable, "-I", "-c", ROOT_OF_ITS_OWN, str(served.path)],
        input=GET,
        capture_output=True,
        check=True,
    ).stdout
    assert answer.startswith(b"0\n")
    assert b"HTTP/1.1 403 " in answer
    assert b"uid 1000" in answer


ROOT_OF_ITS_OWN = """
import ctypes, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
os.setgroups([])
os.setresgid(1000, 1000, 1000)
os.setresuid(1000, 1000, 1000)
libc.prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: who is not may not write its own uid_map
assert libc.unshare(0x10000000) == 0, os.strerror(ctypes.get_errno())  # CLONE_NEWUSER
with open("/proc/self/uid_map", "w") as map:
    map.write("0 1000 1")
os.write(1, b"%d\\n" % os.getuid())
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
connection.sendall(sys.stdin.buffer.read())
os.write(1, connection.recv(65536))
"""
