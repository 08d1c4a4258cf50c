"""What is kept of a revision, and what a later process may make of it.

Owns: the members of the payload and their bounds, and the rules of adoption: an expired token is nothing, no clock ever
lengthens a life, a token from the future is kept but renewed at once (R-066 to R-068). Pure. Refuses to know: how it
is encrypted and where it lies.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Final

import msgspec

from broker.core.cache.refusals import EntryRefused
from broker.model import AccessToken, Moment, Revision, Secret
from broker.oauth import token_answer

SLEW_SECONDS: Final = 2.0
"""By so much two clocks part without anybody having set one; times that were published stay as they were."""

_LONGEST_TEXT: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A revision as the process that minted it knew it; `boot_id` says whether its boot clock still counts."""

    revision: Revision
    boot_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """A revision to go on with; `renew_now` where its own schedule cannot be trusted."""

    revision: Revision
    renew_now: bool


class _Payload(msgspec.Struct, frozen=True, kw_only=True):
    """Unknown members are ignored, so that a release and the one before read each other's files (R-153)."""

    access_token: Annotated[
        str,
        msgspec.Meta(min_length=token_answer.SHORTEST_TOKEN, max_length=token_answer.LONGEST_TOKEN),
    ]
    expires_in: Annotated[int, msgspec.Meta(ge=1, le=token_answer.LONGEST_LIFETIME_SECONDS)]
    issued_at: float
    revision: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    jitter: Annotated[float, msgspec.Meta(ge=-1, le=1)]
    scope: tuple[str, ...] | None = None
    secret_version: Annotated[str, msgspec.Meta(max_length=_LONGEST_TEXT)] | None = None
    issued_boot: float = 0.0
    boot_id: Annotated[str, msgspec.Meta(max_length=_LONGEST_TEXT)] | None = None

    def __repr__(self) -> str:
        return "_Payload(***)"


def encode(entry: Entry) -> bytes:
    """The payload: JSON. Holds the token, so it is for sealing only."""
    token = entry.revision.token
    return msgspec.json.encode(
        _Payload(
            access_token=token.value.reveal(),
            expires_in=token.expires_in,
            issued_at=token.issued.wall,
            revision=entry.revision.number,
            jitter=entry.revision.jitter,
            scope=token.scope,
            secret_version=token.secret_version,
            issued_boot=token.issued.boot,
            boot_id=entry.boot_id,
        )
    )


def decode(payload: bytes) -> Entry:
    """Raises EntryRefused, without any part of the payload."""
    try:
        found = msgspec.json.decode(payload, type=_Payload)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise EntryRefused("is authentic, but has members that this release does not understand") from None
    token = AccessToken(
        value=Secret(found.access_token),
        expires_in=found.expires_in,
        issued=Moment(found.issued_at, found.issued_boot),
        scope=found.scope,
        secret_version=found.secret_version,
    )
    revision = Revision(number=found.revision, token=token, jitter=found.jitter)
    return Entry(revision=revision, boot_id=found.boot_id)


def adoption(entry: Entry, *, now: Moment, boot_id: str | None) -> Adoption | None:
    """What `now` can be served of an entry; None once it has expired.

    The token's age is what the wall clock says, but no less than what the boot clock says if the machine was not booted
    since: somebody who sets the wall clock back lengthens no life.
    """
    token = entry.revision.token
    age = max(0.0, now.wall - token.issued.wall)
    if boot_id is not None and entry.boot_id == boot_id:
        age = max(age, now.boot - token.issued.boot)
    issued_wall = now.wall - age
    if abs(token.issued.wall - issued_wall) <= SLEW_SECONDS:
        issued_wall = token.issued.wall
    kept = replace(token, issued=Moment(issued_wall, now.boot - age))
    if kept.remaining_seconds(now) <= 0:
        return None
    return Adoption(revision=replace(entry.revision, token=kept), renew_now=token.issued.wall > now.wall)
