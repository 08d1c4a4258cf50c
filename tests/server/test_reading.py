"""GET on the socket: the token, the list, and what is never served."""

from __future__ import annotations

import array
import fcntl
import hashlib
import json
import shutil
import socket
import subprocess
import termios

import pytest

from tests.cache import missing
from tests.server.conftest import Served
from tests.server.fakes import WALL
from tests.server.running import request
from tests.waiting import eventually

VALUE = "S3CR3T-access-token"


def test_members_of_a_token(served: Served) -> None:
    """A token is answered with the documented members, times in whole seconds rounded down (R-140)."""
    with served.client() as client:
        answer = client.ask("/v1/tokens/deploy")
    assert 200 == answer.status
    assert {
        "name": "deploy",
        "access_token": VALUE,
        "token_type": "Bearer",
        "expires_in": 295,
        "expires_at": int(WALL + 295),
        "issued_at": int(WALL),
        "scope": "read write",
        "revision": 1,
        "fingerprint": hashlib.sha256(VALUE.encode()).hexdigest()[:16],
        "state": "fresh",
    } == answer.json
    assert "application/json" == answer.headers["content-type"]
    assert "no-store" == answer.headers["cache-control"]


def test_bare_token(served: Served) -> None:
    """`Accept: text/plain` answers the bare token without a newline."""
    with served.client() as client:
        answer = client.ask("/v1/tokens/deploy", "GET", "Accept: text/plain")
    assert VALUE.encode() == answer.body
    assert "text/plain" == answer.headers["content-type"]


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("*/*", "application/json"),
        ("text/*", "application/json"),
        ("text/plain, application/json", "text/plain"),
        ("text/plain;q=0.5, application/json", "application/json"),
        ("application/json;q=0.1, TEXT/PLAIN; q=0.2", "text/plain"),
        ("text/plain;q=0", "application/json"),
        ("text/plain;q=x", "application/json"),
    ],
)
def test_content_negotiation(served: Served, accept: str, content_type: str) -> None:
    """Bare text only for callers that name text/plain and do not prefer JSON."""
    with served.client() as client:
        assert (
            content_type
            == client.ask("/v1/tokens/deploy", "GET", f"Accept: {accept}").headers["content-type"]
        )


def test_same_request_again_counts_down(served: Served) -> None:
    """A repeated request is answered with what is true then: the whole seconds that are left."""
    with served.client() as client:
        seen = []
        for step in (0.0, 0.0, 0.5, 0.6, 0.0, 1.0):
            served.loop.do(lambda step=step: served.clock.advance(step))  # type: ignore[misc]  # bound at once
            seen.append(client.ask("/v1/tokens/deploy").json["expires_in"])
    assert [295, 295, 294, 293, 293, 292] == seen


def test_new_revision_is_seen_at_once(served: Served) -> None:
    """A repeated request after a mint gets the new token, within the same second."""
    with served.client() as client:
        first = client.ask("/v1/tokens/deploy").json
        served.mint("deploy", "S3CR3T-second")
        second = client.ask("/v1/tokens/deploy").json
    assert (1, 2) == (first["revision"], second["revision"])
    assert "S3CR3T-second" == second["access_token"]


def test_never_an_expired_token(served: Served) -> None:
    """The last answer is given before the expiry and none from then on, to known requests too (R-140)."""
    with served.client() as client:
        client.ask("/v1/tokens/deploy")
        served.loop.do(lambda: served.clock.advance(294.999))
        assert 0 == client.ask("/v1/tokens/deploy").json["expires_in"]
        served.loop.do(lambda: served.clock.advance(0.001))
        answer = client.ask("/v1/tokens/deploy")
    assert 503 == answer.status
    assert VALUE.encode() not in answer.body


def test_wall_clock_does_not_matter(served: Served) -> None:
    """A wall clock that was set back does not revive a token."""
    with served.client() as client:
        client.ask("/v1/tokens/deploy")

        def step_back() -> None:
            served.clock.advance(300)
            served.clock.wall -= 86_400

        served.loop.do(step_back)
        assert 503 == client.ask("/v1/tokens/deploy").status


def test_min_valid_of_a_known_request_runs_out(served: Served) -> None:
    """A request with min_valid that was answered is refused once less than that is left."""
    path = "/v1/tokens/deploy?min_valid=200s"
    with served.client() as client:
        assert 200 == client.ask(path).status
        served.loop.do(lambda: served.clock.advance(95))
        assert 200 == client.ask(path).status
        served.loop.do(lambda: served.clock.advance(0.5))
        answer = client.ask(path)
    assert (503, "min_valid") == (answer.status, answer.json["code"])
    assert answer.json["retry_after"] >= 1


def test_min_valid_asks_for_a_renewal(served: Served) -> None:
    """An unmet min_valid renews, and the caller who agreed to wait gets the new token."""
    with served.client() as client:
        client.send(request("/v1/tokens/deploy?min_valid=400s&wait=10s"))
        eventually(lambda: served.reader.waiting, what="the caller waits")
        served.mint("deploy", "S3CR3T-longer", expires_in=900)
        assert "S3CR3T-longer" == client.receive().json["access_token"]
    assert ["deploy"] == served.reader.renewals


def test_a_valid_token_is_never_waited_for(served: Served) -> None:
    """wait= changes nothing while a valid token is at hand (R-139)."""
    with served.client() as client:
        assert 200 == client.ask("/v1/tokens/deploy?wait=30s").status
    assert 0 == served.reader.waiting
    assert [] == served.reader.renewals


def test_waiting_for_the_first_mint(served: Served) -> None:
    """With wait= a caller gets the first token as soon as it is there."""
    with served.client() as client:
        client.send(request("/v1/tokens/other?wait=10s"))
        eventually(lambda: served.reader.waiting, what="the caller waits")
        served.mint("other", "S3CR3T-other")
        assert "S3CR3T-other" == client.receive().json["access_token"]


def test_waiting_in_vain(served: Served) -> None:
    """When the time is over the answer says what stands in the way, and when to ask again."""
    served.loop.do(lambda: served.reader.update("other", condition="unreachable", retry_after_seconds=3.2))
    with served.client() as client:
        answer = client.ask("/v1/tokens/other?wait=20ms")
    assert (503, "unreachable", 4) == (answer.status, answer.json["code"], answer.json["retry_after"])


def test_a_waiter_that_leaves_is_forgotten(served: Served) -> None:
    """A caller that hangs up is waited for no longer than it asked, and disturbs nobody."""
    with served.client() as client:
        client.send(request("/v1/tokens/other?wait=300ms"))
        eventually(lambda: served.reader.waiting, what="the caller waits")
    eventually(lambda: not served.reader.waiting, what="nobody waits")
    with served.client() as client:
        assert 200 == client.ask("/v1/tokens/deploy").status


def test_list_and_status_hold_records_without_tokens(served: Served) -> None:
    """Both answer the ten members of interface.md 7 for each token, and no token."""
    served.loop.do(lambda: served.reader.update("deploy", next_renewal_at=WALL + 150.9, secret_version="3"))
    with served.client() as client:
        listed, status = client.ask("/v1/tokens"), client.ask("/v1/status")
    assert listed.json == status.json
    assert {
        "name": "deploy",
        "state": "fresh",
        "condition": "ok",
        "reason": "renewal planned",
        "revision": 1,
        "issued_at": int(WALL),
        "expires_at": int(WALL + 295),
        "next_renewal_at": int(WALL + 150.9),
        "secret_version": "3",
        "last_error": None,
    } == listed.json["tokens"][0]
    assert ["deploy", "other"] == [record["name"] for record in listed.json["tokens"]]
    assert b"S3CR3T" not in listed.body + status.body


def test_unknown_parameters_are_ignored(served: Served) -> None:
    """A newer client's parameters do not break it."""
    with served.client() as client:
        assert 200 == client.ask("/v1/tokens/deploy?colour=blue&min_valid=5").status


def test_curl(served: Served) -> None:
    """The documented curl command works as printed."""
    curl = shutil.which("curl") or missing("curl", "apt-get install curl")
    output = subprocess.run(
        [curl, "-sf", "--unix-socket", served.path, "http://localhost/v1/tokens/deploy"],
        check=True,
        capture_output=True,
    ).stdout
    assert VALUE == json.loads(output)["access_token"]


def test_token_that_no_socket_buffer_holds_arrives_whole(served: Served) -> None:
    """The second answer takes the quick path, of which the kernel takes a part; the next one follows in order."""
    long = "S3CR3T-" + "x" * 2_000_000
    served.mint("deploy", long)
    served.clock.advance(0.5)  # an answer is good while its `expires_in` is
    ask = request("/v1/tokens/deploy", "GET", "Accept: text/plain")
    with served.client() as client:
        for _ in range(2):
            client.send(ask)
            assert long.encode() == client.receive().body
        client.send(ask)
        eventually(lambda: 0 < queued_bytes(client.socket), what="the kernel has taken a part")
        client.send(ask)
        assert [long.encode()] * 2 == [client.receive().body for _ in range(2)]


def queued_bytes(client: socket.socket) -> int:
    """How much waits to be read."""
    waiting = array.array("i", [0])
    fcntl.ioctl(client, termios.FIONREAD, waiting)
    return waiting[0]
