"""The values that travel between the rooms.

Owns: secrets that cannot print themselves, references to secrets, HTTP requests and answers, access tokens and what is
known about a managed token. Refuses to know: clocks, I/O, configuration files.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn, final

from broker.errors import Condition, ErrorClass

TokenState = Literal["absent", "fresh", "stale", "expired"]

EXPIRY_MARGIN_SECONDS = 5.0
EXPIRY_MARGIN_FRACTION = 0.1


@final
class Secret:
    """A value that no repr, str, format, pickle, copy or JSON encoder reveals; equality takes constant time."""

    __slots__ = ("__value",)

    def __init__(self, value: str | bytes) -> None:
        self.__value = value.encode() if isinstance(value, str) else bytes(value)

    def reveal(self) -> str:
        """The text. Raises ValueError (without the value) if it is not UTF-8."""
        try:
            return self.__value.decode()
        except UnicodeDecodeError:
            raise ValueError("the secret is not UTF-8 text") from None

    def reveal_bytes(self) -> bytes:
        """The exact bytes."""
        return self.__value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self.__value, other.__value)

    __hash__ = None  # type: ignore[assignment]  # a hash would be a fingerprint of a secret

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret cannot be serialised")


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant on two clocks, in seconds: `wall` since the Unix epoch, `boot` on CLOCK_BOOTTIME (never steps)."""

    wall: float
    boot: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretDocument:
    """What one read of one path gave: named fields, the whole value where the store has one, and its version."""

    fields: Mapping[str, Secret] = field(default_factory=dict)
    whole: Secret | None = None
    version: str | None = None

    @classmethod
    def of_bytes(cls, whole: bytes, *, version: str | None) -> SecretDocument:
        """A value of a store that knows only values: its fields are the text and number members of a JSON object."""
        try:
            found = json.loads(whole, parse_int=str, parse_float=str)
            members = found.items() if isinstance(found, dict) else ()
            fields = {name: Secret(value) for name, value in members if isinstance(value, str)}
        except (ValueError, RecursionError):
            fields = {}
        return cls(fields=fields, whole=Secret(whole), version=version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client as the authorization server knows it (RFC 6749 2)."""

    client_id: str
    client_secret: Secret | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """What is asked for besides the grant: RFC 6749 4.4.2, RFC 8707 `resource`, vendor `audience` and parameters."""

    scope: tuple[str, ...] = ()
    resource: tuple[str, ...] = ()
    audience: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One HTTP request. Headers and body may hold credentials and are left out of the repr."""

    method: Literal["GET", "POST"]
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """One HTTP answer: header names in lower case, body whole and not content-encoded."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationServerMetadata:
    """The part of RFC 8414 section 2 that minting needs."""

    issuer: str | None
    token_endpoint: str
    token_endpoint_auth_methods_supported: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """A minted access token (RFC 6749 5.1). `issued` was read before the request was sent; `expires_in` in seconds."""

    value: Secret
    expires_in: int
    issued: Moment
    token_type: str = "Bearer"
    scope: tuple[str, ...] | None = None
    secret_version: str | None = None

    @property
    def usable_seconds(self) -> float:
        """The part of the lifetime in which the broker serves the token: short of the end by 5 s or 10 %."""
        return self.expires_in - min(EXPIRY_MARGIN_SECONDS, EXPIRY_MARGIN_FRACTION * self.expires_in)

    @property
    def expires_at(self) -> float:
        """Unix seconds at which the broker stops serving the token."""
        return self.issued.wall + self.usable_seconds

    def remaining_seconds(self, now: Moment) -> float:
        """Seconds of use left, by the clock that never steps; zero or less once expired."""
        return self.issued.boot + self.usable_seconds - now.boot

    @property
    def fingerprint(self) -> str:
        """First 16 hex digits of SHA-256 of the token, so that readers of files can compute it."""
        return hashlib.sha256(self.value.reveal_bytes()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A minted token as the store keeps it. `jitter` in [-1, 1] was drawn once, when the token was taken."""

    number: int
    token: AccessToken
    jitter: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecord:
    """What may be told about a managed token without telling the token; times are Unix seconds."""

    name: str
    state: TokenState
    condition: Condition
    reason: str
    revision: int
    issued_at: float | None = None
    expires_at: float | None = None
    next_renewal_at: float | None = None
    secret_version: str | None = None
    last_error: ErrorClass | None = None
    retry_after_seconds: float | None = None
    lifetime_seconds: float | None = None
    consecutive_failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What a sink is given: one revision of one managed token."""

    token_name: str
    revision: Revision
