"""The unit of a peer: what /proc/PID/cgroup proves, and what it does not."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.server.peer import AccessRule, overflow_ids, read_peer
from broker.server.units import PeerUnit, system_unit
from tests.cache import forbidden
from tests.server.conftest import Serve
from tests.server.running import STRANGER, as_stranger, needs_root, request
from tests.waiting import eventually


@pytest.mark.parametrize(
    ("unit", "path"),
    [
        ("a.service", "/system.slice/a.service"),
        ("a.service", "/a.service"),
        ("a.service", "/one.slice/one-two.slice/a.service"),
        ("a@x.service", "/system.slice/system-a.slice/a@x.service"),
        ("a@x@y.service", "/system.slice/a@x@y.service"),
        ("session-2.scope", "/user.slice/user-1000.slice/session-2.scope"),
        ("init.scope", "/init.scope"),
        ("cgroup.service", "/system.slice/_cgroup.service"),
        (r"mnt-a\x2db.mount", r"/system.slice/mnt-a\x2db.mount"),
        # What a user manager calls its own, and what a delegated subtree does.
        ("user@1000.service", "/user.slice/user-1000.slice/user@1000.service/app.slice/a.service"),
        ("user@1000.service", "/user.slice/user-1000.slice/user@1000.service/system.slice/a.service"),
        ("b.service", "/system.slice/b.service/a.service"),
        ("b.service", "/system.slice/b.service/system.slice/a.service"),
        ("machine-m.scope", "/machine.slice/machine-m.scope/payload/system.slice/a.service"),
        # No unit at all.
        (None, "/"),
        (None, ""),
        (None, "/system.slice"),
        (None, "/system.slice/"),
        (None, "system.slice/a.service"),
        (None, "//a.service"),
        (None, "/../system.slice/a.service"),
        (None, "/docker/0123/system.slice/a.service"),
        (None, "/system.slice/a.service (deleted)"),
        (None, "/system.slice/a@.service"),
        (None, "/system.slice/@x.service"),
        (None, "/system.slice/.service"),
        (None, "/system.slice/a.Service"),
        (None, "/system.slice/a b.service"),
        (None, "/system.slice/\u00e4.service"),
        (None, "/system.slice/" + "a" * 248 + ".service"),
    ],
)
def test_path(unit: str | None, path: str) -> None:
    """The first component below the slices at the root is the unit, whatever follows: sd_pid_get_unit(3)."""
    assert unit == system_unit(f"0::{path}\n")


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        ("a.service", "0::/system.slice/a.service\n"),
        ("a.service", "12:pids:/x\n9:name=systemd:/system.slice/a.service\n0::/system.slice/a.service\n"),
        ("a.service", "9:name=systemd:/system.slice/a.service\n0::/\n"),
        ("a.service", "9:name=systemd:/system.slice/a.service\n4:memory:/system.slice/b.service\n"),
        ("a.service", "9:name=systemd:/system.slice/a.service\n0::/system.slice/a.service/sub\n"),
        (None, "9:name=systemd:/system.slice/a.service\n0::/system.slice/b.service\n"),
        (None, "9:name=systemd:/system.slice/a.service\n0::/user.slice\n"),
        (None, "9:name=systemdx:/system.slice/a.service\n"),
        (None, "9:cpu,name=systemd:/system.slice/a.service\n"),
        (None, "4:memory:/system.slice/a.service\n"),
        (None, "0::/x:0::/system.slice/a.service\n"),
        (None, "0:/system.slice/a.service\n"),
        (None, ""),
    ],
)
def test_hierarchies(unit: str | None, text: str) -> None:
    """Unified, hybrid and legacy layouts; where systemd's two hierarchies disagree, nothing is believed."""
    assert unit == system_unit(text)


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    """Nothing raises, and what is found is in the text."""
    unit = system_unit(text)
    assert unit is None or unit in text


@given(st.lists(st.sampled_from(["app.slice", "a.service", "x", "system.slice"]), max_size=4))
def test_nothing_below_a_unit_counts(below: list[str]) -> None:
    """However a user arranges the cgroups of his own, he stays in the unit that systemd put him into."""
    inside = "/".join(("/user.slice/user-1000.slice/user@1000.service", *below))
    assert "user@1000.service" == system_unit(f"0::{inside}\n")


HIERARCHIES = (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup/systemd"), Path("/sys/fs/cgroup"))


@contextmanager
def unit_cgroup(name: str) -> Iterator[Path]:
    """A cgroup where systemd would put a unit; its `cgroup.procs` takes processes."""
    for root in HIERARCHIES:
        slice_ = root / f"tb{os.getpid()}.slice"
        try:
            (slice_ / name).mkdir(parents=True)
        except OSError:
            continue
        if (slice_ / name / "cgroup.procs").exists():
            break
    else:
        forbidden("a control group of our own below /sys/fs/cgroup")
    try:
        yield slice_ / name
    finally:
        removed(slice_ / name)
        slice_.rmdir()


def removed(cgroup: Path) -> None:
    """Remove a cgroup as soon as the kernel has noticed that it is empty."""

    def gone() -> bool:
        cgroup.rmdir()
        return True

    eventually(gone, what="the cgroup is empty", retry_on=(OSError,))


def ask_from(cgroup: Path, socket_path: Path, path: str) -> bytes:
    """What uid 1000 receives whose process is in this cgroup."""
    program = (
        "import os, sys; open(sys.argv.pop(1), 'w').write('0'); "
        "os.execv(sys.executable, [sys.executable, '-I', *sys.argv[1:]])"
    )
    arguments = [str(cgroup / "cgroup.procs"), str(STRANGER), str(socket_path), "1000", "1000", ""]
    return subprocess.run(
        [sys.executable, "-I", "-c", program, *arguments],
        input=request(path),
        capture_output=True,
        check=True,
    ).stdout


def test_a_real_unit_may_read(serve: Serve) -> None:
    """A process in the unit's cgroup is allowed by `units`, its neighbour is not."""
    needs_root()
    served = serve(rules={"deploy": AccessRule(units=frozenset({"reader@.service"}))})
    served.mint("deploy")
    with unit_cgroup("reader@1.service") as cgroup:
        assert ask_from(cgroup, served.path, "/v1/tokens/deploy").startswith(b"HTTP/1.1 200 ")
    with unit_cgroup("other.service") as cgroup:
        inner = cgroup / "reader@1.service"
        inner.mkdir()
        assert ask_from(inner, served.path, "/v1/tokens/deploy").startswith(b"HTTP/1.1 403 ")
        removed(inner)
    assert as_stranger(served.path, request("/v1/tokens/deploy")).startswith(b"HTTP/1.1 403 ")


CONNECT = """
import socket, sys
open(sys.argv[1], "w").write("0")
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[2])
sys.stdin.read()
"""


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[socket.socket]:
    """A bare listening socket."""
    with socket.socket(socket.AF_UNIX) as found:
        found.bind(str(tmp_path / "s"))
        found.listen()
        found.settimeout(10)
        yield found


def test_a_peer_that_has_ended_has_no_unit(listening: socket.socket) -> None:
    """What is read after the process ended is not believed: its number may be another's by now (R-133, F-39)."""
    needs_root()
    with unit_cgroup("reader.service") as cgroup:
        command = [sys.executable, "-I", "-c", CONNECT, str(cgroup / "cgroup.procs"), listening.getsockname()]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as alive:
            connection, _ = listening.accept()
            subprocess.run(command, stdin=subprocess.DEVNULL, check=True)
            orphan, _ = listening.accept()
            with connection, orphan:
                assert "reader.service" == read_peer(connection, overflow_ids()).unit()
                assert read_peer(orphan, overflow_ids()).known
                assert read_peer(orphan, overflow_ids()).unit() is None
                # As if the number had been given to a process of the unit since.
                assert "reader.service" == PeerUnit(connection, alive.pid)()
                assert PeerUnit(orphan, alive.pid)() is None
            assert alive.stdin is not None
            alive.stdin.close()


def test_look_ups_leave_no_descriptor() -> None:
    """The pidfd is closed again."""
    one, two = socket.socketpair()
    with one, two:
        before = set(Path("/proc/self/fd").iterdir())
        for _ in range(10):
            PeerUnit(one, os.getpid())()
        assert before == set(Path("/proc/self/fd").iterdir())
