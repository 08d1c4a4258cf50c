"""A stand-in for the store: tokens that tests put in, and a clock that they move.

Owns: enough of `ports.TokenReader` to drive the servers. Every token holds the canary.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from broker.events import Event
from broker.model import AccessToken, Moment, Revision, Secret, TokenRecord, TokenState
from broker.policy.rejection import Verdict
from broker.ports import Clock, RenewAnswer

WALL = 1_700_000_000.25
BOOT = 5_000.0


class ManualClock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.wall = WALL
        self.boot = BOOT

    def now(self) -> Moment:
        return Moment(self.wall, self.boot)

    def advance(self, seconds: float) -> None:
        self.wall += seconds
        self.boot += seconds


class Observed:
    """Collects events."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event, /) -> None:
        self.events.append(event)


def access_token(value: str = "S3CR3T-access-token", *, clock: Clock, expires_in: int = 300) -> AccessToken:
    """A token minted now."""
    return AccessToken(
        value=Secret(value), expires_in=expires_in, issued=clock.now(), scope=("read", "write")
    )


class FakeReader:
    """Tokens by name. A test sets `renew_answer`, and calls `mint` where the renewer would."""

    def __init__(self, clock: Clock, *names: str) -> None:
        self.clock = clock
        self.renew_answer: RenewAnswer = "started"
        self.renewals: list[str] = []
        self.verdict: Verdict = "started"
        self.rejected: list[tuple[str, str, float | None]] = []
        self.waiting = 0
        self._changed = asyncio.Condition()
        self._revisions: dict[str, Revision] = {}
        self._records = {
            name: TokenRecord(
                name=name, state="absent", condition="renewing", reason="first mint", revision=0
            )
            for name in names
        }

    def mint(self, name: str, value: str = "S3CR3T-access-token", *, expires_in: int = 300) -> None:
        """Give the token its next revision."""
        token = access_token(value, clock=self.clock, expires_in=expires_in)
        number = self._records[name].revision + 1
        self._revisions[name] = Revision(number=number, token=token, jitter=0.0)
        self.update(
            name,
            state="fresh",
            condition="ok",
            reason="renewal planned",
            revision=number,
            issued_at=token.issued.wall,
            expires_at=token.expires_at,
        )

    def update(self, name: str, **changes: object) -> None:
        """Change members of a record."""
        self._records[name] = replace(self._records[name], **changes)  # type: ignore[arg-type]  # a test's own names

    def add(self, name: str, record: TokenRecord) -> None:
        """Another token, known as this one is."""
        self._records[name] = replace(record, name=name)

    async def announce(self) -> None:
        """Wake those who wait, after `mint`."""
        async with self._changed:
            self._changed.notify_all()

    def remove(self, name: str) -> None:
        del self._records[name]
        self._revisions.pop(name, None)

    def names(self) -> Sequence[str]:
        return sorted(self._records)

    def revision(self, name: str) -> Revision | None:
        self._records[name]  # KeyError for an unknown name
        return self._revisions.get(name)

    def state(self, name: str) -> TokenState:
        return self._records[name].state

    def record(self, name: str) -> TokenRecord:
        return self._records[name]

    def renew(self, name: str) -> RenewAnswer:
        self.renewals.append(name)
        return self.renew_answer

    def reject(self, name: str, *, fingerprint: str, requested_at: float | None) -> Verdict:
        self.rejected.append((name, fingerprint, requested_at))
        return self.verdict

    async def wait_usable(self, name: str, *, min_valid_seconds: float, timeout_seconds: float) -> bool:
        def usable() -> bool:
            revision = self.revision(name)
            return (
                revision is not None
                and revision.token.remaining_seconds(self.clock.now()) >= min_valid_seconds
            )

        if not usable():
            self.renewals.append(name)
        return await self._wait(usable, timeout_seconds)

    async def wait_revision(self, name: str, *, after: int, timeout_seconds: float) -> bool:
        return await self._wait(lambda: self.record(name).revision > after, timeout_seconds)

    async def _wait(self, met: object, timeout_seconds: float) -> bool:
        assert callable(met)
        self.waiting += 1
        try:
            async with asyncio.timeout(timeout_seconds), self._changed:
                await self._changed.wait_for(met)
        except TimeoutError:
            return bool(met())
        finally:
            self.waiting -= 1
        return True
