"""systemd's LoadCredential= against the socket."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from broker.server.credentials import CredentialClaim, claim
from broker.server.peer import AccessRule
from tests.server.conftest import Serve, Served
from tests.server.running import ANSWER_SECONDS, as_stranger, needs_root
from tests.waiting import eventually

RULES = {
    "deploy": AccessRule(units=frozenset({"deployer.service", "worker@.service"})),
    "other": AccessRule(units=frozenset({"deployer.service"})),
}


@pytest.fixture
def guarded(serve: Serve) -> Served:
    """A server whose tokens only units may have, besides root on HTTP."""
    served = serve(rules=RULES)
    served.mint("deploy")
    return served


def load(path: Path, name: str) -> bytes:
    """What systemd would put into the credential: everything up to the end, without having sent a byte."""
    with connect(path, name) as connection:
        return connection.makefile("rb").read()


def connect(path: Path, name: str) -> socket.socket:
    """Connect from an abstract address."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(ANSWER_SECONDS)
    connection.bind(f"\0{name}")
    connection.connect(str(path))
    return connection


@pytest.mark.parametrize("unit", ["deployer.service", "worker@7.service"])
def test_an_allowed_unit_gets_the_bare_token(guarded: Served, unit: str) -> None:
    """The token and end of file, though the client sends nothing (R-135)."""
    needs_root()
    assert b"S3CR3T-access-token" == load(guarded.path, f"4f3a9c/unit/{unit}/deploy")


@pytest.mark.parametrize(
    "claimed", ["stranger.service/deploy", "deployer.service/nope", "work@7.service/deploy"]
)
def test_others_get_nothing(guarded: Served, claimed: str) -> None:
    """An unknown unit or credential: no data, and the end of file at once: a token would be waited for (R-135)."""
    needs_root()
    with connect(guarded.path, f"4f3a9c/unit/{claimed}") as connection:
        connection.settimeout(9.0)
        assert b"" == connection.recv(1)


def test_a_user_cannot_claim_to_be_systemd(guarded: Served) -> None:
    """The name is believed only from root: uid 1000 gets nothing (R-135, F-41)."""
    needs_root()
    assert b"" == as_stranger(guarded.path, b"", name="4f3a9d/unit/deployer.service/deploy")


def test_users_and_groups_do_not_open_credentials(serve: Serve) -> None:
    """LoadCredential= obeys units only; root itself is not enough."""
    needs_root()
    served = serve(rules={"deploy": AccessRule(uids=frozenset({0}))})
    served.mint("deploy")
    assert b"" == load(served.path, "4f3a9e/unit/deployer.service/deploy")


def test_a_unit_that_starts_beside_the_broker_waits(guarded: Served) -> None:
    """A token that has not been minted yet is waited for."""
    needs_root()
    with connect(guarded.path, "4f3a9f/unit/deployer.service/other") as connection:
        eventually(lambda: guarded.reader.waiting, what="the unit waits")
        guarded.mint("other", "S3CR3T-other")
        assert b"S3CR3T-other" == connection.makefile("rb").read()


def test_waiting_units_are_let_go_at_the_end(guarded: Served) -> None:
    """When the server stops, a waiting unit sees the end of file."""
    needs_root()
    with connect(guarded.path, "4f3aa0/unit/deployer.service/other") as connection:
        eventually(lambda: guarded.reader.waiting, what="the unit waits")
        guarded.loop.run(guarded.server.stop())
        assert b"" == connection.recv(1)


@pytest.mark.parametrize(
    ("expected", "address"),
    [
        (CredentialClaim("a.service", "deploy"), b"\0 4f/unit/a.service/deploy".replace(b" ", b"")),
        (None, b"\0zz/unit/a.service/deploy"),
        (None, b"\0" + b"4f/unit/a.service"),
        (None, b"\0" + b"4f/unit/a.service/deploy/more"),
        (None, b"\0" + b"4f/unit//deploy"),
        (None, b"\0" + b"4f/system/a.service/deploy"),
        (None, "/run/4f/unit/a.service/deploy"),
        (None, ""),
    ],
)
def test_addresses(expected: CredentialClaim | None, address: object) -> None:
    """Only systemd's form is a claim; everybody else is an ordinary client."""
    assert expected == claim(address)
