"""Who asks, where processes and names are not what they seem (F-39, F-40, F-41)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cache import require_namespaces
from tests.daemon.running import Daemon
from tests.packaging.project import ROOT
from tests.scale import scaled
from tests.server.running import ANOTHER_UID, as_stranger, request
from tests.server.test_namespaces import serving
from tests.server.test_units import ask_from, removed, unit_cgroup
from tests.socket_abuse.conftest import Tell

pytestmark = [pytest.mark.sockets, pytest.mark.soak]

GET = request("/v1/tokens/deploy")
OTHER_PIDS: Sequence[str] = ("--pid", "--fork", "--mount-proc", "--kill-child")
PROGRAM = Path(__file__).with_name("pid_reuse.py")


@pytest.fixture
def unshare() -> str:
    """The command that makes namespaces."""
    return str(require_namespaces(*OTHER_PIDS))


def test_a_number_that_is_used_again_opens_nothing(place: Path, unshare: str, tell: Tell) -> None:
    """R-133: a connection whose process ended gets nothing for the unit of the next one with its number."""
    with unit_cgroup("reader.service") as cgroup:
        run = subprocess.run(
            [
                *(unshare, *OTHER_PIDS, sys.executable, str(PROGRAM)),
                *(str(place / "s"), str(cgroup), str(scaled(short=300, whole=10_000))),
            ],
            env={"PATH": os.defpath, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            check=True,
            timeout=scaled(short=100, whole=3000),
        )
    found = json.loads(run.stdout)
    assert "200" == found["member"], "the unit itself may read, also after an exec"
    assert {"403"} >= found["seen"].keys() - {"-"}
    assert found["seen"]["403"] > scaled(short=200, whole=8_000), "the numbers were used again"
    tell(f"connections of dead processes whose number a unit's process has: {found['seen']}")


def test_peers_from_outside_our_pid_namespace(place: Path, unshare: str) -> None:
    """F-40, R-132: a process that has no number here is not known, whoever its user is; neither is root's."""
    path = place / "s"
    with serving(path, str(ANOTHER_UID), prefix=[unshare, *OTHER_PIDS]):
        answers = [as_stranger(path, GET, uid=uid, gids=(uid,)) for uid in (ANOTHER_UID, 0)]
    assert [b"HTTP/1.1 403", b"HTTP/1.1 403"] == [answer[:12] for answer in answers]
    assert b"S3CR3T" not in b"".join(answers)


def test_peers_from_a_pid_namespace_below(place: Path, unshare: str) -> None:
    """A container's process has a number here, and the rules hold for it as for any other."""
    path = place / "s"
    program = [sys.executable, "-I", str(ROOT / "tests/server/stranger.py"), str(path)]
    with serving(path, str(ANOTHER_UID)):
        answers = [
            subprocess.run(
                [unshare, *OTHER_PIDS, *program, str(uid), str(uid), ""],
                input=GET,
                stdout=subprocess.PIPE,
                check=True,
            ).stdout
            for uid in (ANOTHER_UID, ANOTHER_UID + 1)
        ]
    assert [b"HTTP/1.1 200", b"HTTP/1.1 403"] == [answer[:12] for answer in answers]


@pytest.mark.parametrize("unit", ["reader.service", "x.service"])
def test_the_name_of_a_unit_in_an_address(daemon: Daemon, unit: str) -> None:
    """F-41, R-135: what a user calls itself in its address is not believed, and root's claim must be a unit's right."""
    name = f"5f3a9c/unit/{unit}/deploy"
    assert b"" == as_stranger(daemon.socket, b"", uid=ANOTHER_UID, name=name)
    bare = as_stranger(daemon.socket, b"", uid=0, gids=(0,), name=name)
    assert (unit == "reader.service") == (
        daemon.ask("/v1/tokens/deploy", Accept="text/plain")[1].encode() == bare
    )


def test_a_cgroup_that_a_user_made(daemon: Daemon) -> None:
    """Whatever a user calls a cgroup in a subtree of its own: it is in the unit that it was put into."""
    with unit_cgroup("user@1000.service") as own:
        for directory in (own, own / "reader.service", own / "system.slice" / "reader.service"):
            directory.mkdir(parents=True, exist_ok=True)
            assert b"HTTP/1.1 403" == ask_from(directory, daemon.socket, "/v1/tokens/deploy")[:12]
        for below in ("reader.service", "system.slice/reader.service", "system.slice"):
            removed(own / below)
    with unit_cgroup("reader.service") as real:
        assert b"HTTP/1.1 200" == ask_from(real, daemon.socket, "/v1/tokens/deploy")[:12]
