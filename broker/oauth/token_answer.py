"""A successful answer of the token endpoint (RFC 6749 5.1), member by member.

Owns: the strict reading of `access_token` (b64token of RFC 6750 2.1), `token_type`, `expires_in` and
`scope`. Refuses to know: HTTP, clocks, and what is inside a token (RFC 9068 6). Any other member, a refresh
token too, is dropped here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from broker.errors import ProtocolError, RequestRejected
from broker.model import AccessToken, Moment, Secret, TokenRequest

SHORTEST_TOKEN: Final = 8
LONGEST_TOKEN: Final = 16_384
LONGEST_LIFETIME_SECONDS: Final = 31_536_000

_B64TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*", re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,10}", re.ASCII)
_SCOPE = re.compile(r"[!#-\[\]-~ ]*", re.ASCII)


def read(
    members: Mapping[str, Any],
    *,
    request: TokenRequest,
    issued: Moment,
    default_lifetime_seconds: float | None,
    secret_version: str | None,
) -> AccessToken:
    """The token. Raises ProtocolError, or RequestRejected for a configured scope that was not granted."""
    value = _access_token(members.get("access_token"))
    _check_token_type(members.get("token_type"))
    return AccessToken(
        value=value,
        expires_in=_lifetime(members.get("expires_in"), default_lifetime_seconds),
        issued=issued,
        scope=_granted(members.get("scope"), request.scope),
        secret_version=secret_version,
    )


def _access_token(value: object) -> Secret:
    if value is None:
        raise ProtocolError("the token endpoint's answer has no access_token", code="access_token")
    if not isinstance(value, str) or not SHORTEST_TOKEN <= len(value) <= LONGEST_TOKEN:
        raise ProtocolError(
            f"the answer's access_token is not a string of {SHORTEST_TOKEN} to {LONGEST_TOKEN} characters",
            code="access_token",
        )
    if not _B64TOKEN.fullmatch(value):
        raise ProtocolError(
            "the answer's access_token has characters that a bearer token may not have", code="access_token"
        )
    return Secret(value)


def _check_token_type(value: object) -> None:
    if not isinstance(value, str) or value.lower() != "bearer":
        raise ProtocolError("the answer's token_type is missing or not Bearer", code="token_type")


def _lifetime(value: object, default_seconds: float | None) -> int:
    """Whole seconds. `int()` is no judge here: it takes `1_000`, other scripts' digits and True."""
    if value is None:
        if default_seconds is None:
            raise ProtocolError(
                "the token endpoint's answer has no expires_in; set default_lifetime to say how long "
                "such a token lives",
                code="expires_in",
            )
        return min(max(int(default_seconds), 1), LONGEST_LIFETIME_SECONDS)
    seconds: int | None = None
    if isinstance(value, str):
        seconds = int(value) if _DIGITS.fullmatch(value) else None
    elif isinstance(value, float):
        seconds = int(value) if value.is_integer() else None
    elif isinstance(value, int) and not isinstance(value, bool):
        seconds = value
    if seconds is None or not 1 <= seconds <= LONGEST_LIFETIME_SECONDS:
        raise ProtocolError(
            f"the answer's expires_in is not a whole number of seconds from 1 to {LONGEST_LIFETIME_SECONDS}",
            code="expires_in",
        )
    return seconds


def _granted(value: object, requested: tuple[str, ...]) -> tuple[str, ...] | None:
    """What was granted, in the server's order without duplicates; an absent `scope` means as requested."""
    if value is None:
        return requested or None
    if not isinstance(value, str) or not _SCOPE.fullmatch(value):
        raise ProtocolError("the answer's scope is not a list of scope names", code="scope")
    granted = tuple(dict.fromkeys(value.split()))
    missing = [name for name in requested if name not in granted]
    if missing:
        raise RequestRejected(
            f"the authorization server did not grant the configured scope {', '.join(missing)}: allow it for "
            "this client there, or take it out of `scope`",
            code="invalid_scope",
        )
    return requested if granted == requested else granted  # one object for the configuration and each token
