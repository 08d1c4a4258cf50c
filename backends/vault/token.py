"""A Vault token and what is known of its life.

Owns: reading both out of what a login, a lookup or a renewal answered. Refuses to know: when to act on it (`login`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from backends.vault.answers import OK, unavailable
from backends.vault.client import Answer
from broker.api import Secret

RENEW_AT = 2 / 3
"""The share of its life after which our token is renewed (R-090)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeldToken:
    """Times are seconds on the clock of `login`; infinite for a token without an end."""

    value: Secret
    renewable: bool
    revocable: bool = True
    """Batch tokens are not: the server keeps no record of them."""
    renew_at: float = math.inf
    ends_at: float = math.inf


def granted(answer: Answer, *, now: float, where: str, value: Secret | None = None) -> HeldToken:
    """The token in the answer to a login, or with `value` to a renewal of that token."""
    token = answer.member("auth", "client_token") if value is None else value.reveal()
    seconds = answer.member("auth", "lease_duration")
    if answer.status != OK or not is_header_value(token) or not is_count(seconds):
        raise unavailable(answer, where)
    if value is None and float(seconds) == 0:
        return HeldToken(value=Secret(token), renewable=False)
    return _living(
        token,
        float(seconds),
        now,
        renewable=answer.member("auth", "renewable") is True,
        revocable=answer.member("auth", "token_type") != "batch",
    )


def looked_up(answer: Answer, *, now: float, where: str, value: Secret) -> HeldToken:
    """The token that was asked about, with the life that the answer to lookup-self gives it."""
    seconds = answer.member("data", "ttl")
    if answer.status != OK or not is_count(seconds):
        raise unavailable(answer, where)
    if float(seconds) == 0 and answer.member("data", "expire_time") is None:  # a root token
        return HeldToken(value=value, renewable=False)
    renewable = answer.member("data", "renewable") is True
    return _living(value.reveal(), float(seconds), now, renewable=renewable, revocable=True)


def is_header_value(token: object) -> bool:
    """Any other token would be quoted by requests in the error it raises."""
    return (
        isinstance(token, str)
        and token.isascii()
        and token.isprintable()
        and token != ""
        and " " not in token
    )


def is_count(seconds: object) -> bool:
    """Whether this is the text of a number of seconds that a float holds exactly."""
    return isinstance(seconds, str) and seconds.isascii() and seconds.isdigit() and len(seconds) < 16  # noqa: PLR2004 - exact as a float


def _living(token: str, life: float, now: float, *, renewable: bool, revocable: bool) -> HeldToken:
    return HeldToken(
        value=Secret(token),
        renewable=renewable,
        revocable=revocable,
        renew_at=now + life * RENEW_AT,
        ends_at=now + life,
    )
