"""The life of one managed token in virtual time: renewed at half of its life, kept whatever fails."""

from __future__ import annotations

import itertools

import pytest

from broker.errors import TransportError
from broker.events import MintFailed, MintSucceeded, RenewalPlanned
from broker.model import HttpRequest, HttpResponse
from tests.core.world import LIFETIME_SECONDS, World, refusal, token_answer
from tests.virtual_time import run_virtually


def refused(request: HttpRequest) -> HttpResponse:
    """Nobody listens."""
    raise TransportError(f"connect to {request.url}: connection refused")


def test_first_token_is_minted_at_once_and_renewed_around_half_of_its_life() -> None:
    """R-064: the second mint comes at 40-60 % of the first token's life."""

    async def scenario() -> None:
        world = World()
        place = world.start()
        await world.until(1)
        assert world.token_value(place) == "token-1-S3CR3T"
        assert place.token.record().state == "fresh"
        await world.until(LIFETIME_SECONDS * 0.61)
        assert world.token_value(place) == "token-2-S3CR3T"
        assert LIFETIME_SECONDS * 0.4 <= world.request_times[1] <= LIFETIME_SECONDS * 0.6

    run_virtually(scenario)


def test_renewal_times_spread_because_each_token_draws_its_own_jitter_once() -> None:
    """R-064: two hundred tokens minted together are not renewed together, and the plan never moves."""

    async def scenario() -> None:
        world = World()
        world.server.lifetime_seconds = 1000
        for number in range(200):
            world.start(f"token{number}")
        await world.until(620)
        renewals = sorted(world.request_times)[200:]
        assert len(renewals) == 200
        assert renewals[-1] - renewals[0] > 150
        plans = [event for event in world.observer.of(RenewalPlanned) if event.token == "token7"]
        assert len(plans) == 2

    run_virtually(scenario)


def test_token_at_rest_is_left_alone_until_its_renewal_is_due() -> None:
    """Six hours in which time changes nothing that could be told are one rest."""

    async def scenario() -> None:
        world = World()
        place = world.start()
        await world.until(1)
        due = place.rounds[0].due - world.began
        assert LIFETIME_SECONDS * 0.4 <= due <= LIFETIME_SECONDS * 0.6
        await world.until(due + 1)
        assert due == pytest.approx(world.request_times[1], abs=0.5)

    run_virtually(scenario)


def test_outage_keeps_the_old_token_and_tells_it_is_stale() -> None:
    """R-072: while the server refuses connections the token is served until its own end, and only then expires."""

    async def scenario() -> None:
        world = World()
        place = world.start()
        await world.until(1)
        world.server.fault = refused
        await world.until(LIFETIME_SECONDS * 0.61)
        record = place.token.record()
        assert (record.state, record.condition) == ("stale", "unreachable")
        assert world.token_value(place) == "token-1-S3CR3T"
        await world.until(LIFETIME_SECONDS - 6)
        assert place.token.record().state == "stale"
        await world.until(LIFETIME_SECONDS + 1)
        assert place.token.record().state == "expired"

    run_virtually(scenario)


def test_recovery_after_an_outage_needs_nobody() -> None:
    """F-01: the server is away for 40 % of a token's life, and no reader ever finds an expired token."""

    async def scenario() -> None:
        world = World()
        place = world.start()
        await world.until(LIFETIME_SECONDS * 0.35)
        world.server.fault = refused
        await world.until(LIFETIME_SECONDS * 0.75)
        world.server.fault = None
        assert place.token.record().state == "stale"
        await world.until(LIFETIME_SECONDS * 0.85)
        assert place.token.record().state == "fresh"
        assert len(world.observer.of(MintSucceeded)) == 2

    run_virtually(scenario)


@pytest.mark.parametrize(
    "fault",
    [
        refused,
        lambda _: refusal(500, "server_error"),
        lambda _: refusal(401, "unauthorized_client"),
        lambda _: refusal(400, "invalid_scope"),
        lambda _: refusal(429, "slow_down", retry_after="0"),
        lambda _: HttpResponse(status=200, body=b"<html>"),
        lambda _: HttpResponse(status=302, headers={"location": "https://evil.example"}),
        lambda _: HttpResponse(status=405),
    ],
    ids=["refused", "500", "401", "invalid_scope", "429", "html", "redirect", "405"],
)
def test_no_failure_makes_a_hot_loop(fault: object) -> None:
    """R-053: whatever the server does for six hours, two requests are never closer than a second."""

    async def scenario() -> None:
        world = World()
        world.server.fault = fault  # type: ignore[assignment]  # a table of lambdas
        world.start()
        await world.until(6 * 3600)
        gaps = [later - earlier for earlier, later in itertools.pairwise(world.request_times)]
        assert min(gaps) >= 1.0
        assert len(world.request_times) < 400

    run_virtually(scenario)


def test_one_second_tokens_are_minted_every_ten_seconds_at_most() -> None:
    """R-042: a server whose tokens live for one second costs at most 360 requests an hour."""

    async def scenario() -> None:
        world = World()
        world.server.lifetime_seconds = 1
        place = world.start()
        await world.until(3600)
        assert len(world.request_times) <= 3600
        assert place.token.revision is not None

    run_virtually(scenario)


def test_server_that_repeats_its_token_is_asked_in_quarters_and_never_hot() -> None:
    """F-60: the same token until it ends is no error and no new revision, and costs a bounded number of requests."""

    async def scenario() -> None:
        world = World()
        begin = world.clock.now().boot

        def cached(request: HttpRequest) -> HttpResponse:
            left = 3600 - int(world.clock.now().boot - begin)
            return token_answer("same-token-S3CR3T", max(left, 1))

        world.server.fault = cached
        place = world.start()
        await world.until(3500)
        assert place.token.revision is not None
        assert place.token.revision.number == 1
        gaps = [later - earlier for earlier, later in itertools.pairwise(world.request_times)]
        assert min(gaps) >= 10.0
        assert len(world.request_times) < 60

    run_virtually(scenario)


def test_shorter_lived_token_does_not_replace_a_longer_one() -> None:
    """F-11, R-073: the administrator shortens lifetimes; the current token is kept until it is the shorter one."""

    async def scenario() -> None:
        world = World()
        place = world.start()
        await world.until(1)
        world.server.lifetime_seconds = 300
        await world.until(LIFETIME_SECONDS * 0.7)
        assert world.token_value(place) == "token-1-S3CR3T"
        gaps = [later - earlier for earlier, later in itertools.pairwise(world.request_times)]
        assert min(gaps) >= 10.0
        await world.until(LIFETIME_SECONDS + 1)
        assert place.token.record().state == "fresh"
        assert world.token_value(place) != "token-1-S3CR3T"

    run_virtually(scenario)


def test_bug_in_an_attempt_is_a_failure_of_that_token_only() -> None:
    """R-063: an exception that nobody expected is told, and the token is tried again."""

    async def scenario() -> None:
        world = World()

        def bug(request: HttpRequest) -> HttpResponse:
            raise KeyError("a bug")

        world.server.fault = bug
        place = world.start()
        await world.until(0.5)
        failure = world.observer.of(MintFailed)[0]
        assert (failure.code, failure.condition) == ("internal", "protocol_error")
        world.server.fault = None
        await world.until(60)
        assert place.token.record().state == "fresh"

    run_virtually(scenario)


def test_wall_clock_steps_neither_expire_a_good_token_nor_extend_a_bad_one() -> None:
    """R-067: ten years forth and back cost no mint and end no token."""

    async def scenario() -> None:
        world = World()
        place = world.start()
        await world.until(1)
        world.clock.step_wall(10 * 365 * 86_400)
        await world.until(3600)
        assert place.token.record().state == "fresh"
        world.clock.step_wall(-20 * 365 * 86_400)
        await world.until(7200)
        assert len(world.request_times) == 1
        world.server.fault = refused
        await world.until(LIFETIME_SECONDS)
        assert place.token.record().state == "expired"

    run_virtually(scenario)
