"""One managed token and the cache: adopted before the first mint, kept after each, and never in the way."""

from __future__ import annotations

from itertools import pairwise

import pytest

from broker.core.cache import sealed
from broker.errors import BrokerError, SecretBackendUnavailable
from broker.model import Secret
from broker.policy import life as lives
from tests.core.restarted import KEY, KEY_TEXT, PLACE, Restarted
from tests.core.world import LIFETIME_SECONDS, refusal
from tests.virtual_time import run_virtually


def test_cached_token_is_served_instead_of_a_mint() -> None:
    """R-008: adopted at once, number and schedule with it; no request before half of its life."""

    async def scenario() -> None:
        new = Restarted()
        new.keep(age=600.0, jitter=0.5)
        place = new.start()
        await new.world.until(0.1)
        assert "cached-S3CR3T" == new.world.token_value(place)
        assert ("fresh", "ok", 4) == (
            (record := place.token.record()).state,
            record.condition,
            record.revision,
        )
        await new.world.until(LIFETIME_SECONDS * 0.55 - 600.0 - 1.0)
        assert [] == new.world.request_times
        await new.world.until(LIFETIME_SECONDS * 0.55 - 600.0 + 1.0)
        assert 5 == place.token.record().revision
        assert 5 == new.kept.revision.number
        assert [] == new.warnings

    run_virtually(scenario)


def test_token_past_its_renewal_point_is_served_and_renewed_at_once() -> None:
    """docs/interface.md 7: an older authentic copy may be adopted while it is unexpired."""

    async def scenario() -> None:
        new = Restarted()
        new.keep(age=40_000.0)
        place = new.start()
        await new.world.until(0.01)
        assert "cached-S3CR3T" == new.world.token_value(place)
        await new.world.until(1.0)
        assert 5 == place.token.record().revision

    run_virtually(scenario)


def test_token_of_the_future_is_served_and_renewed_at_once() -> None:
    """R-068: one warning, one mint."""

    async def scenario() -> None:
        new = Restarted()
        new.keep(age=600.0)
        new.world.clock.step_wall(-3600.0)
        place = new.start()
        await new.world.until(0.01)
        assert "cached-S3CR3T" == new.world.token_value(place)
        await new.world.until(1.0)
        assert 5 == place.token.record().revision
        assert 1 == len(new.warnings)
        assert "in the future" in new.warnings[0]

    run_virtually(scenario)


def test_token_that_expired_meanwhile_is_minted_without_a_word() -> None:
    """A long downtime is nothing to warn about."""

    async def scenario() -> None:
        new = Restarted()
        new.keep(age=LIFETIME_SECONDS - 5.0)
        place = new.start()
        await new.world.until(1.0)
        assert 1 == place.token.record().revision
        assert [] == new.warnings

    run_virtually(scenario)


def test_key_that_comes_later_opens_the_cache_then() -> None:
    """A backend key while that backend is down: told once, asked for every half minute, adopted when it arrives."""

    async def scenario() -> None:
        new = Restarted()
        attempts = []

        async def late() -> Secret:
            attempts.append(new.world.clock.now().boot)
            if len(attempts) < 4:
                raise SecretBackendUnavailable("corp: refused")
            return KEY_TEXT

        new.read_key = late
        new.world.server.fault = lambda _: refusal(500, "down")
        new.keep()
        place = new.start()
        await new.world.until(89.0)
        assert place.token.revision is None
        await new.world.until(91.0)
        assert "cached-S3CR3T" == new.world.token_value(place)
        assert "stale" == place.token.record().state
        assert [30.0] * 3 == pytest.approx([b - a for a, b in pairwise(attempts)])
        assert ["tokens are not cached for now, the key is missing: corp: refused"] == new.warnings

    run_virtually(scenario)


def test_token_minted_without_a_key_is_kept_when_it_arrives() -> None:
    """And one adopted token never replaces a newer one."""

    async def scenario() -> None:
        new = Restarted()
        answers = iter([False, True])

        async def second_time_lucky() -> Secret:
            if not next(answers):
                raise BrokerError("not yet")
            return KEY_TEXT

        new.read_key = second_time_lucky
        new.keep()
        place = new.start()
        await new.world.until(31.0)
        assert "token-1-S3CR3T" == new.world.token_value(place)
        assert "token-1-S3CR3T" == new.kept.revision.token.value.reveal()

    run_virtually(scenario)


@pytest.mark.parametrize(
    "content",
    [b"garbage", b"", sealed.seal(b"{}", key=KEY, identity="another")],
    ids=["garbage", "empty", "foreign"],
)
def test_entry_that_is_not_to_be_trusted_costs_one_warning(content: bytes) -> None:
    """R-009, F-51: it names the file; the token is minted and takes the entry's place."""

    async def scenario() -> None:
        new = Restarted()
        new.files.entries["deploy"] = content
        place = new.start()
        await new.world.until(100.0)
        assert 1 == place.token.record().revision
        assert 1 == new.kept.revision.number
        (warning,) = new.warnings
        assert warning.startswith(f"deploy: not taken from the token cache: {PLACE} ")

    run_virtually(scenario)


@pytest.mark.parametrize("error", [BrokerError("disk full"), MemoryError(), ValueError("S3CR3T-")])
def test_failing_write_is_a_warning_and_is_tried_again(error: Exception) -> None:
    """Never an obstacle: the token is served all the same; told once, and written when it works."""

    async def scenario() -> None:
        new = Restarted()
        new.files.broken = error
        place = new.start()
        await new.world.until(200.0)
        assert ("fresh", "ok") == ((record := place.token.record()).state, record.condition)
        assert 1 == len(new.warnings)
        assert "S3CR3T" not in new.warnings[0]
        new.files.broken = None
        await new.world.until(231.0)
        assert 1 == new.kept.revision.number
        assert 1 == len(new.warnings)

    run_virtually(scenario)


def test_token_of_another_identity_is_served_but_not_kept() -> None:
    """A reload asks for something else: until that is minted, a crash must not turn the old token into it."""

    async def scenario() -> None:
        new = Restarted()
        foreign = new.keep()
        new.files.entries.clear()
        place = new.start()
        place.token.apply(lives.Adopted(foreign, "taken over at a reload", outdated=True))
        await new.world.until(50.0)
        assert "cached-S3CR3T" == new.world.token_value(place)
        assert {} == new.files.entries
        place.renewer.request()
        await new.world.until(51.0)
        assert "token-1-S3CR3T" == new.kept.revision.token.value.reveal()

    run_virtually(scenario)


def test_token_minted_in_the_last_moment_is_kept_at_the_end() -> None:
    """A stop cancels the writer; what it had no time for is written then, and nothing is written twice."""

    async def scenario() -> None:
        new = Restarted()
        place = new.start()
        new.files.broken = BrokerError("not now")
        await new.world.until(1.0)
        for work in place.rounds:
            work.stop()
        new.files.broken = None
        await new.keeper.flush()
        assert 1 == new.kept.revision.number
        before = new.files.entries["deploy"]
        await new.keeper.flush()
        assert before == new.files.entries["deploy"]

    run_virtually(scenario)
