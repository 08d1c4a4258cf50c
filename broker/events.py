"""What the broker tells about itself: frozen facts that metrics and logs subscribe to.

Owns: the event types; a class is the schema of one log line and the source of one or more metrics. Refuses to know: who
listens. No event has a field that could hold a secret or a token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from broker.errors import Condition, ErrorClass
from broker.model import TokenState

Outcome = Literal["success", "failure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MintSucceeded:
    """A token was minted and taken by the store."""

    token: str
    authorization_server: str
    revision: int
    issued_at: float
    expires_at: float
    expires_in: int
    duration_seconds: float
    secret_version: str | None = None
    degraded: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MintFailed:
    """One attempt failed; `next_attempt_seconds` is when the next one is planned."""

    token: str
    authorization_server: str
    error: ErrorClass
    code: str
    condition: Condition
    message: str
    consecutive_failures: int
    next_attempt_seconds: float
    duration_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewalPlanned:
    """The renewal of the current revision is due at `at` (Unix seconds)."""

    token: str
    at: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChanged:
    """State or condition of a managed token changed."""

    token: str
    state: TokenState
    condition: Condition
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretFetched:
    """One call to a secret backend ended."""

    backend: str
    outcome: Outcome
    duration_seconds: float
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRotated:
    """The backend holds another version of a client secret than before."""

    token: str
    version: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSecretExpiryKnown:
    """A client secret is known to expire at `expires_at` (Unix seconds)."""

    token: str
    expires_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendLogin:
    """A secret backend logged in, or failed to."""

    backend: str
    outcome: Outcome
    method: str
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkersStuck:
    """Calls of a backend or sink that were abandoned at their deadline and still run."""

    pool: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A sink took a revision, or failed to."""

    token: str
    sink: str
    target: str
    outcome: Outcome
    revision: int
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HookRan:
    """The program that reads `target` was told of a revision, or could not be."""

    token: str
    sink: str
    target: str
    outcome: Outcome
    revision: int
    duration_seconds: float
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketServed:
    """The Unix socket answered `count` requests that took about `duration_seconds` each; told once or twice a second.

    `route` is one of list, get, renew, reject, status, watch, openapi, credential, other; never a path from the wire.
    Code 499: the client was gone before it had read its answer.
    """

    route: str
    code: int
    duration_seconds: float
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketDenied:
    """A peer was refused `count` times, of which `pid` and `unit` are the first.

    `token` only where the name is configured, `unit` where its rule asks for one.
    """

    token: str | None
    uid: int
    pid: int | None = None
    unit: str | None = None
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRejected:
    """A program reported that an API refused the current token."""

    token: str
    outcome: Literal["started", "not_current", "too_old", "rate_limited"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSkewMeasured:
    """The authorization server's Date differs from our wall clock by this many seconds."""

    authorization_server: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigReloaded:
    """A reload was carried out, or refused as a whole."""

    outcome: Outcome
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRemoved:
    """A managed token left the configuration."""

    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartBeat:
    """The event loop is alive; how late this beat came, and how long the machine was suspended since the last one."""

    late_seconds: float
    suspended_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LifeCycle:
    """The daemon itself: starting, listening, ready, degraded, stopping."""

    phase: Literal["starting", "listening", "ready", "degraded", "stopping", "warning"]
    message: str


Event = (
    MintSucceeded
    | MintFailed
    | RenewalPlanned
    | StateChanged
    | SecretFetched
    | SecretRotated
    | ClientSecretExpiryKnown
    | BackendLogin
    | WorkersStuck
    | Published
    | HookRan
    | SocketServed
    | SocketDenied
    | TokenRejected
    | ClockSkewMeasured
    | ConfigReloaded
    | HeartBeat
    | TokenRemoved
    | LifeCycle
)
