"""What can go wrong between a program and the broker, by what the program can do about it.

Owns: the exceptions of `broker.client` and the reading of RFC 9457 problem documents into them. Refuses to
know: sockets, exit codes. No message ever holds a token.
"""

_MAX_MESSAGE_CHARACTERS = 500


class TokenClientError(Exception):
    """Base of everything that `broker.client` raises.

    `str(error)` is one printable line. `code` is the socket API's code or a short word of ours; `fix` says
    what can be done; `retry_after` is in seconds, where the broker knows.
    """

    def __init__(
        self, detail: str, *, code: str, fix: str | None = None, retry_after: float | None = None
    ) -> None:
        self.detail = one_line(detail)
        self.code = code
        self.fix = one_line(fix) if fix else None
        self.retry_after = retry_after
        super().__init__(self._message())

    def _message(self) -> str:
        if not self.fix:
            return self.detail
        if self.fix[0].isupper():
            return f"{self.detail.removesuffix('.')}. {self.fix}"
        return f"{self.detail}; {self.fix}"


class BrokerUnreachable(TokenClientError):
    """Nobody answers at the socket, or not in time."""


class AccessDenied(TokenClientError):
    """The name is unknown or not ours to read, or the socket itself is closed to us."""


class TokenUnavailable(TokenClientError):
    """The broker knows the token but has no valid one, and an operator has to act."""


class TryAgainLater(TokenClientError):
    """The broker has no token that serves this request now; it will pass."""


class RequestInvalid(TokenClientError):
    """The request was wrong: a name, a duration, a path."""


class UnexpectedAnswer(TokenClientError):
    """What answered does not speak the broker's socket API."""


_CLASSES: dict[str, type[TokenClientError]] = {
    "denied": AccessDenied,
    "invalid_request": RequestInvalid,
    "rate_limited": TryAgainLater,
    "unreachable": TryAgainLater,
    "throttled": TryAgainLater,
    "starting": TryAgainLater,
    "awaiting_secret": TryAgainLater,
    "min_valid": TryAgainLater,
    "expired": TokenUnavailable,
    "credential_rejected": TokenUnavailable,
    "misconfigured": TokenUnavailable,
}
_CLASSES_BY_STATUS: dict[int, type[TokenClientError]] = {
    400: RequestInvalid,
    403: AccessDenied,
    429: TryAgainLater,
    503: TryAgainLater,
}


def from_problem(status: int, body: bytes) -> TokenClientError:
    """The error that a problem document stands for; an unknown `code` is judged by the HTTP status."""
    import json

    try:
        problem = json.loads(body)
    except (ValueError, RecursionError):
        problem = None
    if not isinstance(problem, dict):
        problem = {}
    code = _text(problem.get("code")) or f"http_{status}"
    detail = _text(problem.get("detail")) or f"the broker answered HTTP {status} without saying why"
    retry_after = problem.get("retry_after")
    error_class = _CLASSES.get(code) or _CLASSES_BY_STATUS.get(status, UnexpectedAnswer)
    return error_class(
        detail,
        code=code,
        fix=_text(problem.get("help")),
        retry_after=float(retry_after) if isinstance(retry_after, int | float) else None,
    )


def one_line(text: str) -> str:
    """`text` without what could steer a terminal or end the line, and of bounded length."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())[:_MAX_MESSAGE_CHARACTERS]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
