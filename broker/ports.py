"""The seams: what the core asks of the outside, and what the servers may ask of the core.

Owns: Protocols and nothing else. Refuses to know: who stands behind them. Each method lists the only errors it raises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol, TypeVar

from broker.errors import SecretBackendError
from broker.events import Event
from broker.model import (
    HttpRequest,
    HttpResponse,
    Moment,
    Publication,
    Revision,
    SecretDocument,
    TokenRecord,
    TokenState,
)

T = TypeVar("T")

MOST_BATCHED = 20
"""Paths in one `read_many`: what the strictest store known takes at a time."""

RenewAnswer = Literal["started", "pending", "rate_limited"]


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> Moment:
        """The wall clock and the clock that never steps, read together."""
        ...


class Observer(Protocol):
    """Receives events. Never raises, never blocks; may be called from any thread."""

    def __call__(self, event: Event, /) -> None: ...


class SecretBackend(Protocol):
    """Where client secrets live. Synchronous and thread-safe; each call is one upstream attempt without sleeping.

    Raises only SecretNotFound, SecretAccessDenied, SecretMalformed, SecretBackendUnavailable.
    """

    def read(self, path: str, *, timeout_seconds: float) -> SecretDocument:
        """Every field at `path`, from the current version, past every cache."""
        ...

    def version(self, path: str, *, timeout_seconds: float) -> str | None:
        """The current version, without reading the value; asked only where `cheap_version_check` is declared."""
        ...

    def close(self) -> None:
        """Release connections; idempotent. May be given up on after two seconds."""
        ...


class BatchSecretBackend(SecretBackend, Protocol):
    """A store that reads several secrets in one call; asked so only where `batch` is declared."""

    def read_many(
        self, paths: Sequence[str], *, timeout_seconds: float
    ) -> Mapping[str, SecretDocument | SecretBackendError]:
        """As `read`, for 2 to MOST_BATCHED paths; each has its own outcome, and one left out is read by itself.

        An error that concerns all of them is raised.
        """
        ...


class TokenSink(Protocol):
    """Where tokens are published. Synchronous; calls for one sink never overlap. Raises only SinkError."""

    def publish(self, publication: Publication) -> bool:
        """Make this revision visible as a whole; equal content is not written again.

        Answers whether readers see something new since their hook was last called, where there is one.
        """
        ...

    def withdraw(self) -> None:
        """Remove what was published; nothing to remove is fine."""
        ...

    def close(self) -> None:
        """Release resources and leave what was published; idempotent."""
        ...


class ChangeHook(Protocol):
    """Tells a program that there is something new in a sink. Synchronous; calls never overlap."""

    def tell(self, publication: Publication) -> None:
        """Tell it once. Raises HookError, also when `close` interrupts it."""
        ...

    def close(self) -> None:
        """End a `tell` that is under way, and let none begin; comes from another thread, idempotent."""
        ...


class HttpTransport(Protocol):
    """One HTTP exchange: no redirects, no retries, nothing from the environment."""

    async def send(self, request: HttpRequest, *, total_seconds: float, max_body_bytes: int) -> HttpResponse:
        """Raises TransportError (refused, DNS, TLS, out of time) or ProtocolError (too large, content-encoded)."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class BlockingRunner(Protocol):
    """Runs synchronous calls away from the event loop, and abandons those that do not come back."""

    async def run(self, call: Callable[[], T], *, deadline_seconds: float) -> T:
        """The call's result or exception; TimeoutError at the deadline, with the call abandoned and counted."""
        ...

    def close(self) -> None:
        """Accept no more calls; never waits for running ones."""
        ...


class TokenReader(Protocol):
    """What the socket and the ops listener see of the managed tokens. Called on the event loop only."""

    def names(self) -> Sequence[str]:
        """The configured names, sorted."""
        ...

    def revision(self, name: str) -> Revision | None:
        """The current revision, expired or not; None while absent. KeyError for an unknown name."""
        ...

    def state(self, name: str) -> TokenState:
        """The state alone, which each answer with a token tells. KeyError for an unknown name."""
        ...

    def record(self, name: str) -> TokenRecord:
        """State, condition and schedule. KeyError for an unknown name."""
        ...

    def renew(self, name: str) -> RenewAnswer:
        """Ask for a mint now: started, kept until a pause or back-off ends, or more than the burst allows."""
        ...

    def reject(
        self, name: str, *, fingerprint: str, requested_at: float | None
    ) -> Literal["started", "not_current", "too_old", "rate_limited"]:
        """An API refused the token with this fingerprint in a request made then (Unix seconds; None: now)."""
        ...

    async def wait_usable(self, name: str, *, min_valid_seconds: float, timeout_seconds: float) -> bool:
        """Until the token is valid for at least that long, or the time is over. Renews if it is not."""
        ...

    async def wait_revision(self, name: str, *, after: int, timeout_seconds: float) -> bool:
        """Until a revision above `after` is there, or the time is over."""
        ...
