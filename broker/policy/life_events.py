"""What can happen in the life of a managed token, and what may have to be done about it, as values.

Owns: the alphabet of `policy.life`. Refuses to know: what an event means.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from broker.errors import BrokerError, Condition, ErrorClass
from broker.model import AccessToken, Revision


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A BrokerError as a value."""

    error_class: ErrorClass
    condition: Condition
    message: str
    retry_after_seconds: float | None = None

    @classmethod
    def of(cls, error: BrokerError) -> Failure:
        """What decisions need of an error."""
        return cls(
            error_class=error.error_class,
            condition=error.condition,
            message=error.message,
            retry_after_seconds=error.retry_after_seconds,
        )


@dataclass(frozen=True, slots=True)
class AttemptBegan:
    """A mint is under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted:
    """An attempt gave a token; `jitter` was drawn from [-1, 1], `trouble` is what went wrong without preventing it."""

    token: AccessToken = field(repr=False)
    jitter: float
    trouble: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailed:
    """An attempt failed; `draw` was drawn from [0, 1)."""

    failure: Failure
    draw: float


@dataclass(frozen=True, slots=True)
class BackOffEnded:
    """The delay after a failure is over."""


@dataclass(frozen=True, slots=True)
class RenewalWanted:
    """Somebody asked for a mint now."""


@dataclass(frozen=True, slots=True)
class SecretChanged:
    """The backend holds another client secret, under this version."""

    version: str | None


@dataclass(frozen=True, slots=True)
class SecretSeen:
    """The backend answered, and its secret is the known one, under this version."""

    version: str | None


@dataclass(frozen=True, slots=True)
class SecretUnreadable:
    """The backend was asked for the secret between two attempts, and failed."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Adopted:
    """A token minted before, by a predecessor or an earlier process; `outdated` if it was for another identity."""

    revision: Revision
    why: str
    outdated: bool = False


Event = (
    AttemptBegan
    | Minted
    | AttemptFailed
    | BackOffEnded
    | RenewalWanted
    | SecretChanged
    | SecretSeen
    | SecretUnreadable
    | Adopted
)


@dataclass(frozen=True, slots=True)
class MintNow:
    """Begin an attempt; a back-off that is under way is over."""

    reason: str


@dataclass(frozen=True, slots=True)
class BackOff:
    """Leave the authorization server alone for that long."""

    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class PauseServer:
    """Nobody may ask this authorization server for that long."""

    seconds: float


Effect = MintNow | BackOff | PauseServer
