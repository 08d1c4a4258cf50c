"""The request targets of the socket API that clients use.

Owns: their spelling, what a token may be called, how a duration is written. Refuses to know: sockets.
"""

from broker.client.errors import RequestInvalid

STATUS = "/v1/status"
WATCH = "/v1/watch"
MAX_WAIT_SECONDS = 30.0
"""The longest `wait` that one request may ask for; who waits longer asks again."""

_ALPHANUMERIC = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_NAME_CHARACTERS = _ALPHANUMERIC + "._-"
_MAX_NAME_CHARACTERS = 64


def token(name: str, *, min_valid_seconds: float = 0.0, wait_seconds: float = 0.0) -> str:
    """The target that reads a token. Raises RequestInvalid for what cannot be a name."""
    query = []
    if min_valid_seconds > 0:
        query.append(f"min_valid={_duration(min_valid_seconds)}")
    if wait_seconds > 0:
        query.append(f"wait={_duration(min(wait_seconds, MAX_WAIT_SECONDS))}")
    return f"/v1/tokens/{_checked(name)}{'?' if query else ''}{'&'.join(query)}"


def renewal(name: str, *, wait_seconds: float = 0.0) -> str:
    """The target that asks for a mint. Raises RequestInvalid for what cannot be a name."""
    query = f"?wait={_duration(min(wait_seconds, MAX_WAIT_SECONDS))}" if wait_seconds > 0 else ""
    return f"/v1/tokens/{_checked(name)}/renew{query}"


def rejection(name: str) -> str:
    """The target that takes a report. Raises RequestInvalid for what cannot be a name."""
    return f"/v1/tokens/{_checked(name)}/reject"


def _checked(name: str) -> str:
    if (
        not 1 <= len(name) <= _MAX_NAME_CHARACTERS
        or name[0] not in _ALPHANUMERIC
        or any(character not in _NAME_CHARACTERS for character in name)
    ):
        raise RequestInvalid(
            f"{name!r} cannot be the name of a token",
            code="name",
            fix="a name has 1 to 64 letters, digits, '.', '_' and '-', and starts with a letter or digit",
        )
    return name


def _duration(seconds: float) -> str:
    """Whole seconds where that is exact, else milliseconds rounded up: never less than was asked for."""
    return f"{int(seconds)}s" if seconds == int(seconds) else f"{int(seconds * 1000) + 1}ms"
