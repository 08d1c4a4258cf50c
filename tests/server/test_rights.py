"""Who may read: the kernel's word against the rules."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest

from broker.events import SocketDenied
from broker.server.peer import AccessRule, OverflowIds, Peer, may_read, overflow_ids, read_peer, unit_may_read
from tests.server.conftest import Serve, Served
from tests.server.running import ANOTHER_UID, as_stranger, needs_root, request
from tests.waiting import eventually

OWN = 500


def peer(uid: int = 1000, *gids: int, pid: int = 7, known: bool = True) -> Peer:
    """A peer with these credentials."""
    return Peer(uid, lambda: frozenset(gids), pid, known, lambda: None)


@pytest.mark.parametrize(
    ("allowed", "who", "rule"),
    [
        (True, peer(0), AccessRule()),
        (True, peer(OWN), AccessRule()),
        (False, peer(1000), AccessRule()),
        (True, peer(1000), AccessRule(uids=frozenset({1000}))),
        (False, peer(1001), AccessRule(uids=frozenset({1000}))),
        (True, peer(1000, 20, 30), AccessRule(gids=frozenset({30}))),
        (False, peer(1000, 20, 30), AccessRule(gids=frozenset({1000}))),
        (False, peer(1000), AccessRule(units=frozenset({"a.service"}))),
        (False, peer(65534, 65534, known=False), AccessRule(uids=frozenset({65534}))),
        (False, peer(0, pid=0, known=False), AccessRule()),
    ],
)
def test_decision(*, allowed: bool, who: Peer, rule: AccessRule) -> None:
    """Root and the own user, listed users, any of the groups; nobody whom the kernel cannot name (R-132)."""
    assert allowed is may_read(who, rule, own_uid=OWN)


@pytest.mark.parametrize(
    ("allowed", "unit", "listed"),
    [
        (True, "a.service", "a.service"),
        (False, "b.service", "a.service"),
        (True, "a@x.service", "a@.service"),
        (True, "a@x@y.service", "a@.service"),
        (True, "a@x.service", "a@x.service"),
        (False, "a@y.service", "a@x.service"),
        (False, "a@.service", "a@x.service"),
        (False, "a@x.socket", "a@.service"),
        (False, "ab@x.service", "a@.service"),
        (False, "a.service", "a@.service"),
    ],
)
def test_units(*, allowed: bool, unit: str, listed: str) -> None:
    """Unit names are exact; a template stands for all of its instances."""
    assert allowed is unit_may_read(unit, AccessRule(units=frozenset({listed})))


def test_names_are_looked_up() -> None:
    """A rule is made from the names in the configuration, and an unknown one is an error."""
    rule = AccessRule.from_names(users=["root"], groups=["root"], units=["a.service"])
    assert AccessRule(uids=frozenset({0}), gids=frozenset({0}), units=frozenset({"a.service"})) == rule
    with pytest.raises(KeyError):
        AccessRule.from_names(users=["no-such-user"])


def test_kernel_credentials() -> None:
    """Our own end of a socket pair is us, with our groups."""
    one, two = socket.socketpair()
    with one, two:
        found = read_peer(one, overflow_ids())
        assert {os.getegid(), *os.getgroups()} == found.gids()
    assert (os.geteuid(), os.getpid(), True) == (found.uid, found.pid, found.known)


def test_overflow_ids_are_nobody() -> None:
    """A peer whose uid does not exist here is unknown, and an overflow group grants nothing (R-132)."""
    one, two = socket.socketpair()
    with one, two:
        found = read_peer(one, OverflowIds(uid=os.geteuid(), gid=os.getegid()))
        assert os.getegid() not in found.gids()
    assert not found.known


def stranger_gets(
    served: Served, path: str = "/v1/tokens/deploy", *, gids: tuple[int, ...] = (1000,)
) -> dict[str, object]:
    """The document that another user gets."""
    head, _, body = as_stranger(served.path, request(path), gids=gids).partition(b"\r\n\r\n")
    found: dict[str, object] = json.loads(body)
    assert b"S3CR3T" not in head
    return found


def test_denied_peer(served: Served) -> None:
    """Another user gets exactly what it gets for a name that does not exist, and the denial is reported."""
    needs_root()
    answer, unknown = stranger_gets(served), stranger_gets(served, "/v1/tokens/nope__")
    assert (403, "denied") == (answer["status"], answer["code"])
    assert {key: str(value).replace("deploy", "nope__") for key, value in answer.items()} == {
        key: str(value) for key, value in unknown.items()
    }

    def denials() -> list[SocketDenied]:
        return [event for event in served.observed.events if isinstance(event, SocketDenied)]

    eventually(lambda: len(denials()) == 2, what="denials")
    assert {("deploy", ANOTHER_UID), (None, ANOTHER_UID)} == {(each.token, each.uid) for each in denials()}
    assert {each.pid for each in denials()}.isdisjoint({None, 0, os.getpid()})


def test_list_shows_only_what_may_be_read(serve: Serve) -> None:
    """A peer sees the names that it may read."""
    needs_root()
    served = serve(rules={"deploy": AccessRule(), "other": AccessRule(uids=frozenset({ANOTHER_UID}))})
    tokens = stranger_gets(served, "/v1/tokens")["tokens"]
    assert isinstance(tokens, list)
    assert ["other"] == [record["name"] for record in tokens]


def test_supplementary_group(serve: Serve) -> None:
    """A group besides the primary one counts; without it the same user is denied."""
    needs_root()
    served = serve(rules={"deploy": AccessRule(gids=frozenset({4321}))})
    served.mint("deploy")
    assert "S3CR3T-access-token" == stranger_gets(served, gids=(1000, 20, 4321))["access_token"]
    assert "denied" == stranger_gets(served, gids=(1000, 20))["code"]


def test_known_bytes_are_checked_against_each_peer(served: Served) -> None:
    """That root asked in the same bytes before helps nobody else."""
    needs_root()
    with served.client() as client:
        for _ in range(3):
            client.send(request("/v1/tokens/deploy"))
            assert 200 == client.receive().status
    assert "denied" == stranger_gets(served)["code"]


def test_other_rights_apply_to_open_connections(serve: Serve) -> None:
    """New rules hold from the next request on, also for requests that were answered quickly."""
    served = serve(rules={"deploy": AccessRule()})
    served.mint("deploy")
    with served.client() as client:
        assert [200, 200] == [client.ask("/v1/tokens/deploy").status for _ in range(2)]
        served.loop.do(lambda: served.server.replace_rules({}))
        assert 403 == client.ask("/v1/tokens/deploy").status
        served.loop.do(lambda: served.server.replace_rules({"deploy": AccessRule()}))
        assert 200 == client.ask("/v1/tokens/deploy").status


DROP_AFTER_CONNECT = """
import os, socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
os.setgroups([])
os.setresgid(1000, 1000, 1000)
os.setresuid(1000, 1000, 1000)
connection.sendall(sys.stdin.buffer.read())
sys.stdout.buffer.write(connection.recv(65536))
"""


def test_credentials_are_those_at_connect(served: Served) -> None:
    """Who connected as root and dropped its privileges afterwards is still root to us (R-134)."""
    needs_root()
    output = subprocess.run(
        [sys.executable, "-I", "-c", DROP_AFTER_CONNECT, str(served.path)],
        input=request("/v1/tokens/deploy"),
        capture_output=True,
        check=True,
    ).stdout
    assert output.startswith(b"HTTP/1.1 200 ")
