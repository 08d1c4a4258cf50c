"""What is kept of a revision, for whom, and what may be made of it later."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from broker.core.cache import entry
from broker.core.cache.identity import token_identity
from broker.core.cache.refusals import EntryRefused
from broker.model import AccessToken, Moment, Revision, Secret, TokenRequest
from broker.options import SecretRef
from broker.policy import renewal
from tests.canary import assert_silent

BOOT = "5d3f0e1c-boot"
ISSUED = Moment(1_700_000_000.0, 5_000.0)
TEN_YEARS = 3650 * 86_400.0


def kept(expires_in: int = 43_200, *, jitter: float = 0.25, boot_id: str | None = BOOT) -> entry.Entry:
    """A third revision minted at ISSUED."""
    token = AccessToken(
        value=Secret("token-S3CR3T-3"),
        expires_in=expires_in,
        issued=ISSUED,
        scope=("a", "b"),
        secret_version="v7",
    )
    return entry.Entry(revision=Revision(number=3, token=token, jitter=jitter), boot_id=boot_id)


def adopted(age_wall: float, age_boot: float | None = None, *, boot_id: str | None = BOOT) -> entry.Adoption:
    """What is adopted when the clocks have gone on by so much; with another boot's clock for None."""
    now = Moment(ISSUED.wall + age_wall, ISSUED.boot + age_boot if age_boot is not None else 12.0)
    found = entry.adoption(kept(), now=now, boot_id=boot_id if age_boot is not None else "another boot")
    assert found is not None
    return found


def test_an_entry_comes_back_as_it_was() -> None:
    """Token, lifetime, times, scope, version of the secret, number and jitter."""
    assert kept() == entry.decode(entry.encode(kept()))


def test_members_of_a_later_release_are_ignored() -> None:
    """R-153: after a downgrade the file is still readable."""
    later = entry.encode(kept()).removesuffix(b"}") + b',"dpop_key":{"kty":"EC"}}'
    assert kept() == entry.decode(later)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"{}",
        entry.encode(kept()).replace(b'"expires_in":43200', b'"expires_in":0'),
        entry.encode(kept()).replace(b'"expires_in":43200', b'"expires_in":1e99'),
        entry.encode(kept()).replace(b'"jitter":0.25', b'"jitter":2'),
        entry.encode(kept()).replace(b'"revision":3', b'"revision":"S3CR3T-3"'),
        entry.encode(kept()).replace(b'"issued_at":1700000000.0', b'"issued_at":null'),
        b'{"access_token":"S3CR3T-' + b"[" * 100_000,
    ],
)
def test_payload_that_is_not_understood_is_refused_without_a_word_of_it(payload: bytes) -> None:
    """R-009: authentic, and still not believed; the refusal shows nothing."""
    with pytest.raises(EntryRefused) as caught:
        entry.decode(payload)
    assert_silent(caught.value)


def test_age_is_what_the_wall_clock_says() -> None:
    """R-066: after another boot nothing else is known; the boot clock's moment of issue is derived from it."""
    found = adopted(600.0)
    assert Moment(ISSUED.wall, 12.0 - 600.0) == found.revision.token.issued
    assert not found.renew_now


def test_schedule_goes_on_with_the_jitter_of_the_mint() -> None:
    """R-072: not drawn anew, so restarts do not pull renewals forward."""
    before = renewal.plan(kept().revision, renew_at=0.5, now=ISSUED)
    found = adopted(600.0)
    after = renewal.plan(found.revision, renew_at=0.5, now=Moment(ISSUED.wall + 600.0, 12.0))
    assert before.due.wall == after.due.wall
    assert before.due.boot - ISSUED.boot - 600.0 == after.due.boot - 12.0


def test_token_of_the_future_is_kept_and_renewed_now() -> None:
    """R-068: the wall clock went back by an hour between two runs; nobody is promised more than the lifetime."""
    found = adopted(-3600.0)
    now = Moment(ISSUED.wall - 3600.0, 12.0)
    assert found.renew_now
    assert now == found.revision.token.issued
    assert found.revision.token.usable_seconds == found.revision.token.remaining_seconds(now)


def test_boot_clock_sees_through_a_wall_clock_that_was_set_back() -> None:
    """R-067: in the same boot a life is not extended by a single second, whatever the wall clock says."""
    found = adopted(-TEN_YEARS, 40_000.0)
    now = Moment(ISSUED.wall - TEN_YEARS, ISSUED.boot + 40_000.0)
    assert kept().revision.token.usable_seconds - 40_000.0 == found.revision.token.remaining_seconds(now)
    assert entry.adoption(kept(), now=Moment(now.wall, ISSUED.boot + 43_199.0), boot_id=BOOT) is None


def test_published_times_stay_as_they_were_when_clocks_slew() -> None:
    """Two clocks part by parts of a second; a JSON file is not rewritten for that."""
    assert ISSUED.wall == adopted(599.7, 600.0).revision.token.issued.wall


def test_expired_token_is_nothing() -> None:
    """By the wall clock after a long downtime."""
    later = Moment(ISSUED.wall + 43_196.0, 12.0)
    assert entry.adoption(kept(), now=later, boot_id=None) is None


seconds = st.floats(-TEN_YEARS, TEN_YEARS)


@given(seconds, st.floats(0, TEN_YEARS), st.booleans(), st.integers(1, 31_536_000))
def test_no_clock_ever_lengthens_a_life(wall: float, boot: float, same_boot: bool, expires_in: int) -> None:  # noqa: FBT001 - Hypothesis
    """R-067, R-068: never more than the lifetime, never more than either clock that counts leaves over."""
    now = Moment(ISSUED.wall + wall, ISSUED.boot + boot)
    old = kept(expires_in)
    found = entry.adoption(old, now=now, boot_id=BOOT if same_boot else "another")
    assume(found is not None)
    assert found is not None
    token = found.revision.token
    left = token.remaining_seconds(now)
    assert 0 < left <= token.usable_seconds + 1e-3
    assert left <= token.usable_seconds - wall + 1e-3
    assert not same_boot or left <= token.usable_seconds - boot + 1e-3
    assert token.issued.wall <= now.wall + entry.SLEW_SECONDS
    assert found.renew_now == (now.wall < ISSUED.wall)


def identity(**changes: object) -> str:
    """Of one managed token, with these differences."""
    settings = {
        "token": "deploy",
        "authorization_server": "odc",
        "issuer": "https://idp.example",
        "token_endpoint": None,
        "client_id": "deploy",
        "request": TokenRequest(scope=("a", "b"), parameters={"x": "1", "y": "2"}),
    }
    return token_identity(**{**settings, **changes})  # type: ignore[arg-type]  # by name, from a table


@pytest.mark.parametrize(
    "changes",
    [
        {"token": "other"},
        {"authorization_server": "other"},
        {"issuer": "https://idp.example/"},
        {"token_endpoint": "https://idp.example/token"},
        {"client_id": "other"},
        {"client_id": SecretRef(backend="deploy", path="deploy")},
        {"request": TokenRequest(scope=("a",), parameters={"x": "1", "y": "2"})},
        {"request": TokenRequest(scope=("a", "b"), resource=("https://api.example",))},
        {"request": TokenRequest(scope=("a", "b"), audience="api")},
        {"request": TokenRequest(scope=("a", "b"), parameters={"x": "2", "y": "1"})},
        {"request": TokenRequest(scope=("a b",), parameters={"x": "1", "y": "2"})},
    ],
)
def test_every_part_of_the_identity_counts(changes: dict[str, object]) -> None:
    """A token minted for one is never served as the other."""
    assert identity() != identity(**changes)


def test_order_is_no_part_of_the_identity() -> None:
    """An operator who sorts a list mints nothing by it."""
    same = TokenRequest(scope=("b", "a", "a"), parameters={"y": "2", "x": "1"})
    assert identity() == identity(request=same)
