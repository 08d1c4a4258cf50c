"""The door lets in the current token and, for a short while, its predecessor."""

from __future__ import annotations

import base64

import pytest

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from broker.dev.registry import RegisteredClient
from tests.canary import MARKER
from tests.consumers.door import OVERLAP_SECONDS, Door

LIFE_SECONDS = 60


class Scene:
    """A server and a door on one clock, which stands still unless the test moves it."""

    def __init__(self) -> None:
        self.time = 1_000_000.0
        self.server = DevelopmentAuthorizationServer(marker=MARKER, now=lambda: self.time)
        self.secret = self.server.register("deploy", lifetime_seconds=LIFE_SECONDS).reveal()
        self.door = Door(self.server, client_id="deploy", now=lambda: self.time)

    def mint(self) -> str:
        """The next token."""
        client = self.server._registry.authenticate("deploy", self.secret)
        assert isinstance(client, RegisteredClient)
        return self.server._registry.issue(client, ()).value.reveal()

    def bearer(self, token: str) -> bool:
        """Whether it is let in."""
        return self.door.admits("somebody", f"Bearer {token}")


@pytest.fixture
def scene() -> Scene:
    """A fresh one."""
    return Scene()


def test_current_token_is_let_in_until_it_expires(scene: Scene) -> None:
    """As a bearer token, and as the password of HTTP Basic."""
    token = scene.mint()
    basic = base64.b64encode(f"token:{token}".encode()).decode()
    assert scene.bearer(token)
    assert scene.door.admits("somebody", f"Basic {basic}")
    scene.time += LIFE_SECONDS
    assert not scene.bearer(token)
    assert {"let in": 2, "expired": 1} == scene.door.account("somebody").outcomes


def test_predecessor_is_let_in_for_the_overlap_only(scene: Scene) -> None:
    """Counted from the issue of its successor, although it has not expired."""
    first = scene.mint()
    assert scene.bearer(first)
    second = scene.mint()
    scene.time += OVERLAP_SECONDS
    assert scene.bearer(first)
    scene.time += 0.1
    assert not scene.bearer(first)
    assert scene.bearer(second)
    account = scene.door.account("somebody")
    assert {"let in": 3, "superseded": 1} == account.outcomes
    assert {0, 1} == account.let_in_with
    assert 1 == account.refused


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Bearer nonsense", "Basic !", "Digest a"])
def test_anything_else_is_refused(header: str | None, scene: Scene) -> None:
    """No token, another one, another scheme."""
    scene.mint()
    assert not scene.door.admits("somebody", header)
    assert 1 == scene.door.account("somebody").outcomes["no token of ours"]


def test_a_succession_is_over_when_everybody_came_with_the_newest(scene: Scene) -> None:
    """Not before, and not with an older one."""
    first = scene.mint()
    assert scene.bearer(first)
    assert scene.door.admits("another", f"Bearer {first}")
    before = scene.door.newest
    names = ("somebody", "another")
    second = scene.mint()
    assert scene.bearer(second)
    assert not scene.door.wait_for_succession(names, after=before, timeout_seconds=0)
    assert scene.door.admits("another", f"Bearer {second}")
    assert scene.door.wait_for_succession(names, after=before, timeout_seconds=0)
