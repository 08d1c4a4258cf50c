"""Client secrets that change, are refused, or cannot be read."""

from __future__ import annotations

import asyncio

from broker.errors import SecretBackendUnavailable
from broker.events import SecretRotated
from tests.core.world import LIFETIME_SECONDS, World, refusal
from tests.virtual_time import run_virtually


def test_rotation_in_the_store_is_noticed_and_minted_with() -> None:
    """R-074: a new version with a new value leads to one value read and one mint within the poll interval."""

    async def scenario() -> None:
        world = World()
        place = world.start()
        await world.until(10)
        reads = len(world.backend.reads)
        world.server.secret = "S3CR3T-second"
        world.backend.put("client", {"id": "deploy", "secret": "S3CR3T-second"})
        await world.until(10 + 72 + 16)
        assert world.token_value(place) == "token-2-S3CR3T"
        assert len(world.observer.of(SecretRotated)) == 1
        assert len(world.backend.reads) - reads == 2
        assert place.token.record().secret_version == "2"

    run_virtually(scenario)


def test_polling_reads_metadata_only() -> None:
    """R-074: an hour of polling reads the value once, for the mint."""

    async def scenario() -> None:
        world = World()
        world.start()
        await world.until(3600)
        assert len(world.backend.reads) == 1
        assert 40 <= len(world.backend.version_checks) <= 80

    run_virtually(scenario)


def test_same_value_under_a_new_version_is_no_reason_to_mint() -> None:
    """R-104: the version moves, the value does not: no mint."""

    async def scenario() -> None:
        world = World()
        place = world.start()
        await world.until(10)
        world.backend.put("client", {"id": "deploy", "secret": "S3CR3T-first"})
        await world.until(200)
        assert len(world.request_times) == 1
        assert place.token.record().secret_version == "2"

    run_virtually(scenario)


def test_rejected_secret_that_changed_meanwhile_is_tried_at_once() -> None:
    """R-050: the re-read after a rejection finds another value, and the second request follows immediately."""

    async def scenario() -> None:
        world = World()
        place = world.start(poll_seconds=86_400.0)
        await world.until(1)
        world.server.secret = "S3CR3T-second"

        def rejects_and_rotates(request: object) -> object:
            world.server.fault = None
            world.backend.put("client", {"id": "deploy", "secret": "S3CR3T-second"})
            return refusal(401, "unauthorized_client")

        world.server.fault = rejects_and_rotates  # type: ignore[assignment]  # a script of one answer
        world.store.renew("deploy")
        await world.until(2)
        assert world.token_value(place) == "token-2-S3CR3T"
        assert len(world.request_times) == 3

    run_virtually(scenario)


def test_rotation_at_the_server_first_needs_few_logins_and_heals_by_itself() -> None:
    """F-16, R-076: the old secret is dead, the store learns of the new one 30 minutes later."""

    async def scenario() -> None:
        world = World()
        place = world.start()
        await world.until(LIFETIME_SECONDS * 0.39)
        world.server.secret = "S3CR3T-second"
        world.store.renew("deploy")
        begin = LIFETIME_SECONDS * 0.39
        await world.until(begin + 600)
        assert place.token.record().condition == "awaiting_secret"
        assert place.token.record().state == "stale"
        assert world.token_value(place) == "token-1-S3CR3T"
        assert len([at for at in world.request_times if at >= begin]) <= 5
        await world.until(begin + 1800)
        asked = len(world.request_times)
        world.backend.put("client", {"id": "deploy", "secret": "S3CR3T-second"})
        await world.until(begin + 1800 + 35)
        assert world.token_value(place) == "token-2-S3CR3T"
        assert len(world.request_times) == asked + 1
        assert place.token.record().condition == "ok"

    run_virtually(scenario)


def test_rejection_says_awaiting_secret_only_after_an_unchanged_second_look() -> None:
    """R-050: when the backend cannot be asked again, the condition stays credential_rejected."""

    async def scenario() -> None:
        world = World()
        place = world.start()
        await world.until(1)
        world.server.secret = "S3CR3T-second"
        world.backend.fail(SecretBackendUnavailable("secret backend corp: connection refused"))
        world.store.renew("deploy")
        await world.until(2)
        assert place.token.record().condition == "credential_rejected"

    run_virtually(scenario)


def test_rotation_is_noticed_where_the_policy_hides_versions() -> None:
    """A policy that lets the value be read but not its metadata costs value reads, not the recovery."""

    async def scenario() -> None:
        world = World()
        world.backend.hide_versions()
        place = world.start()
        await world.until(10)
        world.server.secret = "S3CR3T-second"
        world.store.renew("deploy")
        await world.until(12)
        assert place.token.record().condition == "awaiting_secret"
        world.backend.put("client", {"id": "deploy", "secret": "S3CR3T-second"})
        await world.until(12 + 35)
        assert world.token_value(place) == "token-2-S3CR3T"
        assert len(world.backend.version_checks) == 1

    run_virtually(scenario)


def test_rotation_is_noticed_without_the_capability_to_tell_versions() -> None:
    """What a plug-in does not declare is not asked of it: values are compared."""

    async def scenario() -> None:
        world = World(capabilities=frozenset())
        place = world.start()
        await world.until(10)
        world.server.secret = "S3CR3T-second"
        world.backend.put("client", {"id": "deploy", "secret": "S3CR3T-second"})
        await world.until(10 + 72 + 16)
        assert world.token_value(place) == "token-2-S3CR3T"
        assert [] == world.backend.version_checks

    run_virtually(scenario)


def test_stale_reads_do_not_make_it_flap() -> None:
    """F-21, R-078: a lagging replica answers the old version every other time; the new one stays in use."""

    async def scenario() -> None:
        world = World()
        place = world.start(poll_seconds=10.0)
        await world.until(5)
        old = world.backend.read("client", timeout_seconds=1)
        world.server.secret = "S3CR3T-second"
        world.backend.put("client", {"id": "deploy", "secret": "S3CR3T-second"})
        await world.until(30)
        assert world.token_value(place) == "token-2-S3CR3T"
        for round_ in range(20):
            world.backend.answer_once("client", old)
            await world.until(30 + 12 * round_)
        assert len(world.request_times) == 2
        assert place.token.record().condition == "ok"

    run_virtually(scenario)


def test_rollback_by_an_operator_is_believed_after_a_minute() -> None:
    """R-078: the superseded version is what every read says for over a minute: it is in force again."""

    async def scenario() -> None:
        world = World()
        place = world.start(poll_seconds=10.0)
        await world.until(5)
        old = world.backend.read("client", timeout_seconds=1)
        world.backend.put("client", {"id": "deploy", "secret": "S3CR3T-second"})
        world.server.secret = "S3CR3T-second"
        await world.until(30)
        world.backend.restore("client", old)
        world.server.secret = "S3CR3T-first"
        await world.until(70)
        assert world.token_value(place) == "token-2-S3CR3T"
        await world.until(200)
        assert world.token_value(place) == "token-3-S3CR3T"

    run_virtually(scenario)


def test_wrong_secret_that_is_taken_back_is_forgotten_at_the_next_look() -> None:
    """R-076, R-078: the server rejected the current secret and not the one before it: nothing is left to doubt."""

    async def scenario() -> None:
        world = World()
        place = world.start(poll_seconds=10.0)
        await world.until(5)
        old = world.backend.read("client", timeout_seconds=1)
        world.backend.put("client", {"id": "deploy", "secret": "S3CR3T-mistyped"})
        await world.until(60)
        assert place.token.record().condition == "awaiting_secret"
        world.backend.restore("client", old)
        await world.until(60 + 12)
        assert (2, "ok") == (place.token.record().revision, place.token.record().condition)

    run_virtually(scenario)


def test_rotation_that_a_renewal_finds_first_is_minted_with_once() -> None:
    """R-050: the watch reads while a mint with the new secret is under way; the two do not add up to two mints."""

    async def scenario() -> None:
        world = World()
        place = world.start(poll_seconds=60.0)
        await world.until(30)
        world.server.secret = "S3CR3T-second"
        world.backend.put("client", {"id": "deploy", "secret": "S3CR3T-second"})
        look = asyncio.create_task(place.watch._look())
        world.store.renew("deploy")
        await look
        await world.until(90)
        assert world.token_value(place) == "token-2-S3CR3T"

    run_virtually(scenario)


def test_replica_that_mostly_lags_does_not_bring_a_rejected_secret_back() -> None:
    """F-21, R-078: found by the simulation: three stale reads in a row looked like a rollback to a dead secret."""

    async def scenario() -> None:
        world = World()
        place = world.start(poll_seconds=10.0)
        await world.until(5)
        old = world.backend.read("client", timeout_seconds=1)
        world.server.secret = "S3CR3T-second"
        world.store.renew("deploy")
        await world.until(8)
        assert place.token.record().condition == "awaiting_secret"
        world.backend.put("client", {"id": "deploy", "secret": "S3CR3T-second"})
        await world.until(60)
        assert world.token_value(place) == "token-2-S3CR3T"
        world.backend.restore("client", old)
        await world.until(600)
        world.store.renew("deploy")
        await world.until(605)
        assert world.token_value(place) == "token-3-S3CR3T"
        assert place.token.record().condition == "ok"

    run_virtually(scenario)


def test_two_requests_are_a_tenth_of_a_second_apart_however_quick_everybody_is() -> None:
    """R-053: found by the simulation: the immediate try of a changed secret followed after a few milliseconds."""

    async def scenario() -> None:
        world = World()
        world.server.latency_seconds = 0.001
        world.backend.put("next", {"id": "deploy", "secret": "S3CR3T-second"})
        world.server.secret = "S3CR3T-second"
        world.start(secret_paths=("client", "next"))
        await world.until(5)
        first, second = world.request_times
        assert second - first >= 0.1 - 1e-6

    run_virtually(scenario)
