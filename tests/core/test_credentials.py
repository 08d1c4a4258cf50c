"""Secrets as they are read: several, malformed, unreadable; the last good one serves."""

from __future__ import annotations

from broker.errors import SecretAccessDenied, SecretBackendUnavailable, SecretMalformed
from tests.core.world import World
from tests.virtual_time import run_virtually


def test_last_good_secret_serves_while_the_backend_is_away() -> None:
    """The answer table: the backend is down, the mint works with the secret in memory, and the condition says so."""

    async def scenario() -> None:
        world = World()
        place = world.start()
        await world.until(1)
        world.backend.fail(SecretBackendUnavailable("secret backend corp: connection refused"))
        world.store.renew("deploy")
        await world.until(2)
        record = place.token.record()
        assert (record.revision, record.state, record.condition) == (2, "fresh", "backend_unreachable")
        world.backend.fail(None)
        await world.until(100)
        assert place.token.record().condition == "ok"

    run_virtually(scenario)


def test_denied_backend_without_a_secret_in_memory_is_absent_and_says_why() -> None:
    """The answer table: the policy denies the first read; nothing is sent to the authorization server."""

    async def scenario() -> None:
        world = World()
        world.backend.fail(SecretAccessDenied("secret backend corp: policy denies client"))
        place = world.start()
        await world.until(60)
        record = place.token.record()
        assert (record.state, record.condition) == ("absent", "backend_denied")
        assert world.request_times == []
        world.backend.fail(None)
        await world.until(180)
        assert place.token.record().state == "fresh"

    run_virtually(scenario)


def test_trailing_newline_of_a_stored_secret_is_stripped_once() -> None:
    """R-026: `vault kv put key=@file` stores a newline that was never part of the secret."""

    async def scenario() -> None:
        world = World()
        world.backend.put("client", {"id": "deploy", "secret": "S3CR3T-first\n"})
        place = world.start()
        await world.until(1)
        assert place.token.record().state == "fresh"

    run_virtually(scenario)


def test_control_characters_in_a_secret_send_nothing() -> None:
    """R-026: the message names where the secret lies, and never the secret."""

    async def scenario() -> None:
        world = World()
        world.backend.put("client", {"id": "deploy", "secret": "S3CR3T\x00first"})
        place = world.start()
        await world.until(1)
        record = place.token.record()
        assert record.condition == "secret_missing"
        assert "corp:client" in record.reason
        assert "S3CR3T" not in record.reason
        assert world.request_times == []

    run_virtually(scenario)


def test_several_secrets_are_tried_in_turn_and_the_winner_is_remembered() -> None:
    """Ordered secrets: the second one works; from then on it is tried first."""

    async def scenario() -> None:
        world = World()
        world.backend.put("next", {"id": "deploy", "secret": "S3CR3T-second"})
        world.server.secret = "S3CR3T-second"
        place = world.start(secret_paths=("client", "next"))
        await world.until(5)
        assert world.token_value(place) == "token-1-S3CR3T"
        assert len(world.request_times) == 2
        world.store.renew("deploy")
        await world.until(6)
        assert len(world.request_times) == 3
        world.server.secret = "S3CR3T-first"
        world.store.renew("deploy")
        await world.until(8)
        assert world.token_value(place) == "token-3-S3CR3T"
        assert len(world.request_times) == 5

    run_virtually(scenario)


def test_one_unreadable_secret_of_several_is_no_obstacle() -> None:
    """Ordered secrets: a path that does not exist yet does not keep the other one from being used."""

    async def scenario() -> None:
        world = World()
        place = world.start(secret_paths=("client", "not-there-yet"))
        await world.until(5)
        assert place.token.record().state == "fresh"
        assert len(world.request_times) == 1

    run_virtually(scenario)


def test_newest_trouble_of_the_backend_is_told_in_the_slow_lane() -> None:
    """The operator mends one thing and sees the next one at the next poll, not at the next attempt."""

    async def scenario() -> None:
        world = World()
        world.backend.fail(SecretAccessDenied("secret backend corp: policy denies client"))
        place = world.start()
        await world.until(20)
        assert place.token.record().condition == "backend_denied"
        world.backend.fail(SecretMalformed("the secret at corp:client has no text field 'secret'"))
        await world.until(100)
        record = place.token.record()
        assert (record.condition, "no text field" in record.reason) == ("secret_missing", True)
        assert record.consecutive_failures == 1

    run_virtually(scenario)
