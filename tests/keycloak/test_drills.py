"""The customer's drills: what programs notice while secrets are rotated, clients suspended, Keycloak away.

All three are long and mostly waiting, so they are played at the same time, each with a client and a daemon of its
own; a test looks at what came of its drill. What they measured is printed at the end of each.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest

from tests import canary
from tests.daemon.running import Daemon
from tests.end_to_end.readers import published, served
from tests.end_to_end.relay import Relay
from tests.end_to_end.tables import keycloak_server, kv2, managed_token, new_role, vault_backend
from tests.keycloak.logins import failed_logins, keep_events, successful_logins
from tests.keycloak.programs import Call, Programs
from tests.keycloak.resource_server import introspecting, resource_server, verifying
from tests.servers.keycloak import Keycloak, KeycloakClient
from tests.servers.openbao import OpenBao
from tests.waiting import eventually

pytestmark = [pytest.mark.keycloak, pytest.mark.slow]

STORED_AFTER_SECONDS: Final = 60.0
SUSPENDED_SECONDS: Final = 45.0
OUTAGE_LIFE_SECONDS: Final = 120
NEAR_SECONDS: Final = 8.0
"""Before a renewal: enough to regenerate the secret on a busy machine."""
ENABLED_AGAIN_SECONDS: Final = 1.0
"""No question that is asked later than this may find the token inactive; how long an answer takes is the machine's."""


@dataclass(kw_only=True)
class Outcome:
    """What a drill found; `seconds` by what they measure."""

    daemon: Daemon
    calls: list[Call] = field(default_factory=list)
    failed: list[Call] = field(default_factory=list)
    refused_logins: int = 0
    logins: int = 0
    refused_logins_told: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        measured = "".join(f", {value:.1f} s {what}" for what, value in self.seconds.items())
        return (
            f"{len(self.calls)} calls, {len(self.failed)} failed; "
            f"{self.logins} logins, {self.refused_logins} refused{measured}"
        )

    def account(self, keycloak: Keycloak, client: KeycloakClient, programs: Programs) -> None:
        """At the end: what the programs, Keycloak and the daemon counted."""
        self.calls, self.failed = programs.calls, programs.failed
        self.refused_logins = failed_logins(keycloak, client.client_id)
        self.logins = successful_logins(keycloak, client.client_id)
        told = self.daemon.metric("mints_total", outcome="failure", error="credential")
        self.refused_logins_told = told or 0.0


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a drill is played with."""

    directory: Path
    openbao: OpenBao
    keycloak: Keycloak


Drill = Callable[[Place], Outcome]
Played = Callable[[Drill], Outcome]


@pytest.fixture(scope="module")
def started(
    tmp_path_factory: pytest.TempPathFactory, openbao_tls: OpenBao, keycloak: Keycloak
) -> Iterator[dict[Drill, Future[Outcome]]]:
    """The three drills under way."""
    keep_events(keycloak)
    with ThreadPoolExecutor() as pool:
        yield {
            drill: pool.submit(
                drill,
                Place(
                    directory=tmp_path_factory.mktemp(drill.__name__), openbao=openbao_tls, keycloak=keycloak
                ),
            )
            for drill in (rotation, suspension, outage)
        }


@pytest.fixture
def played(started: dict[Drill, Future[Outcome]], capsys: pytest.CaptureFixture[str]) -> Played:
    """Wait for the end of a drill, and print what it measured."""

    def play(drill: Drill) -> Outcome:
        outcome = started[drill].result(timeout=300)
        canary.watch(outcome.daemon.log)
        with capsys.disabled():
            sys.stdout.write(f"\ndrill {drill.__name__}: {outcome}\n")
        return outcome

    return play


def test_programs_do_not_notice_a_rotation(played: Played) -> None:
    """F-16, R-075, R-076: the secret is stored a minute after it was regenerated, and no call fails meanwhile."""
    outcome = played(rotation)
    assert [] == outcome.failed
    assert len(outcome.calls) >= 1000
    assert 1 <= outcome.refused_logins <= 5
    assert outcome.refused_logins == outcome.refused_logins_told
    assert outcome.seconds["from storing to the new token"] <= 35


def test_suspended_client_keeps_its_token_and_gets_it_back(played: Played) -> None:
    """F-19, R-079: nothing is withdrawn, the same token is good again at once, and calls fail in between only."""
    outcome = played(suspension)
    assert outcome.failed
    assert 1 <= outcome.refused_logins <= 4
    assert outcome.refused_logins == outcome.refused_logins_told
    assert (
        outcome.seconds["from enabling to the last question that found it inactive"] <= ENABLED_AGAIN_SECONDS
    )


def test_programs_do_not_notice_an_outage(played: Played) -> None:
    """F-01: Keycloak is away for two fifths of a life, all the time in which the token would be renewed."""
    outcome = played(outage)
    assert [] == outcome.failed
    assert len(outcome.calls) >= 2000
    assert 0 == outcome.refused_logins


def rotation(place: Place) -> Outcome:
    """300-second tokens; the secret is regenerated when a renewal is near, and stored 60 seconds later.

    `renew_at = 0.1` brings the renewal near after 10 to 60 seconds instead of two minutes or three; it is the
    scheduled one, with 240 seconds of the old token's life left.
    """
    client = place.keycloak.create_client(lifespan_seconds=300)
    server = keycloak_server(place.keycloak)
    with ExitStack() as stack:
        daemon = stack.enter_context(_daemon(place, client, "drill/rotation", server, keys="renew_at = 0.1"))
        outcome = Outcome(daemon=daemon)
        due = daemon.wait_for(state="fresh", revision=1)["next_renewal_at"]
        published(daemon, served(daemon))
        programs = _programs(stack, daemon, introspecting(place.keycloak))
        eventually(lambda: due - time.time() <= NEAR_SECONDS, timeout=90, what="a renewal is near")
        client.regenerate_secret()
        regenerated = time.monotonic()
        record = daemon.wait_for(condition="awaiting_secret", state="stale")
        assert 1 == record["revision"]
        _until(regenerated + STORED_AFTER_SECONDS)
        place.openbao.put_secret("drill/rotation", _fields(client))
        stored = time.monotonic()
        daemon.wait_for(condition="ok", state="fresh", revision=2, timeout=60)
        published(daemon, served(daemon))
        outcome.seconds["from storing to the new token"] = time.monotonic() - stored
        _until(time.monotonic() + 5)
        outcome.account(place.keycloak, client, programs)
    return outcome


def suspension(place: Place) -> Outcome:
    """The client is disabled, a renewal is asked for and refused, and the client is enabled again."""
    client = place.keycloak.create_client(lifespan_seconds=300)
    server = keycloak_server(place.keycloak)
    with ExitStack() as stack:
        daemon = stack.enter_context(_daemon(place, client, "drill/suspension", server))
        outcome = Outcome(daemon=daemon)
        daemon.wait_for(state="fresh", revision=1)
        token = published(daemon, served(daemon))
        programs = _programs(stack, daemon, introspecting(place.keycloak))
        _until(time.monotonic() + 3)
        disabled = time.monotonic()
        client.disable()
        assert 202 == daemon.ask("/v1/tokens/deploy/renew", "POST")[0]
        daemon.wait_for(condition="awaiting_secret", state="stale")
        _until(disabled + SUSPENDED_SECONDS)
        assert token == served(daemon)
        assert token == (daemon.directory / "run" / "tokens" / "deploy").read_text()
        client.enable()
        enabled = time.monotonic()
        found_inactive = [enabled]

        def is_active() -> bool:
            asked = time.monotonic()
            active: bool = place.keycloak.introspect(token)["active"]
            if not active:
                found_inactive.append(asked)
            return active

        eventually(is_active, what="the same token is active again")
        outcome.seconds["from enabling to the last question that found it inactive"] = (
            found_inactive[-1] - enabled
        )
        assert token == served(daemon)
        # The next probe, a minute after the refusal: no restart, no help.
        daemon.wait_for(condition="ok", state="fresh", revision=2, timeout=90)
        outcome.seconds["from enabling to a renewed token"] = time.monotonic() - enabled
        _until(time.monotonic() + 3)
        outcome.account(place.keycloak, client, programs)
    assert [] == [call for call in outcome.failed if call.ended < disabled or call.began > enabled + 1]
    assert {"401"} == {call.outcome for call in outcome.failed}
    return outcome


def outage(place: Place) -> Outcome:
    """From 35 % to 75 % of the life nothing listens where Keycloak is; the API knows Keycloak's keys."""
    client = place.keycloak.create_client(lifespan_seconds=OUTAGE_LIFE_SECONDS)
    endpoint = urlsplit(place.keycloak.token_endpoint)
    with ExitStack() as stack:
        relay = stack.enter_context(Relay(endpoint.port or 0))
        relay.mend()
        server = f"""
[authorization_servers.odc]
profile = "outsystems-odc"
token_endpoint = "https://localhost:{relay.port}{endpoint.path}"
ca_file = "{place.keycloak.ca_file}"
"""
        daemon = stack.enter_context(_daemon(place, client, "drill/outage", server))
        outcome = Outcome(daemon=daemon)
        daemon.wait_for(state="fresh", revision=1)
        began = time.monotonic()
        published(daemon, served(daemon))
        programs = _programs(stack, daemon, verifying(place.keycloak))
        _until(began + 0.35 * OUTAGE_LIFE_SECONDS)
        relay.cut()
        daemon.wait_for(condition="unreachable", state="stale", revision=1)
        _until(began + 0.75 * OUTAGE_LIFE_SECONDS)
        relay.mend()
        mended = time.monotonic()
        daemon.wait_for(state="fresh", condition="ok", revision=2)
        outcome.seconds["from the end of the outage to the new token"] = time.monotonic() - mended
        # Beyond the end of the first token: who would still bring it, is refused.
        _until(began + OUTAGE_LIFE_SECONDS + 3)
        outcome.account(place.keycloak, client, programs)
    return outcome


def _daemon(place: Place, client: KeycloakClient, path: str, server: str, *, keys: str = "") -> Daemon:
    """With the customer's own pace of polling."""
    place.openbao.put_secret(path, _fields(client))
    new_role(place.openbao, place.directory, kv2(path))
    token = managed_token(path, keys=keys).replace(
        'poll_secret_version = "1s"', 'poll_secret_version = "60s"'
    )
    return Daemon(place.directory, vault_backend(place.openbao, place.directory) + server + token)


def _programs(stack: ExitStack, daemon: Daemon, judge: Callable[[str], bool]) -> Programs:
    """Running until the stack is unwound."""
    return stack.enter_context(Programs(daemon, stack.enter_context(resource_server(judge))))


def _fields(client: KeycloakClient) -> dict[str, str]:
    """What the customer stores of a client."""
    return {"client_id": client.client_id, "client_secret": client.secret}


def _until(moment: float) -> None:
    """Let real time pass (`time.monotonic`): the drill's own pace, which no condition can tell."""
    timeout = max(0.0, moment - time.monotonic()) + 5
    eventually(lambda: time.monotonic() >= moment, timeout=timeout, what="the drill goes on")
