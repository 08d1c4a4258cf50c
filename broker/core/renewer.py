"""The loop of one managed token: wait until renewal is due, mint until it worked, begin again.

Owns: the schedule of one token and its single flight (nobody else mints for it, whoever asks). Refuses to know: how an
attempt is made, how long to wait after which error (`policy.retry`), what happens to the token afterwards.
"""

from __future__ import annotations

import asyncio
import random

from broker.core.gate import nap_until
from broker.core.managed_token import ManagedToken
from broker.core.minter import Minted, Minter
from broker.core.retrying import until_success
from broker.errors import BrokerError, ProtocolError
from broker.events import ClientSecretExpiryKnown, MintFailed, MintSucceeded, RenewalPlanned
from broker.model import Moment
from broker.policy import retry
from broker.ports import Clock, Observer, RenewAnswer


class Renewer:
    """Keeps one managed token fresh."""

    def __init__(
        self,
        *,
        token: ManagedToken,
        minter: Minter,
        min_lifetime_seconds: float,
        clock: Clock,
        observer: Observer,
        rng: random.Random,
        due_now: bool = False,
    ) -> None:
        self._token = token
        self._minter = minter
        self._min_lifetime_seconds = min_lifetime_seconds
        self._clock = clock
        self._observer = observer
        self._rng = rng
        self._wanted = asyncio.Event()
        self._new_secret = asyncio.Event()
        self._busy = False
        self._attempt_began = clock.now()
        if due_now:
            self._wanted.set()

    def request(self) -> RenewAnswer:
        """Mint now; while a flight waits for the end of a pause or back-off, that flight is the answer."""
        if self._busy:
            return "pending"
        self._wanted.set()
        return "started"

    def secret_changed(self, version: str | None) -> None:
        """The backend holds a new secret: the back-off of a flight is over, or else a token is minted with it."""
        self._token.secret_changed(version)
        (self._new_secret if self._busy else self._wanted).set()

    async def run(self) -> None:
        """For ever. Ends only by cancellation."""
        while True:
            await self._until_due()
            self._wanted.clear()
            self._new_secret.clear()
            self._busy = True
            try:
                await until_success(self._attempt, decide=self._decide, sleep=self._back_off)
            finally:
                self._busy = False

    async def _until_due(self) -> None:
        planned = None
        while not self._wanted.is_set():
            now = self._clock.now()
            plan = self._token.renewal_plan(now)
            if plan.due.boot <= now.boot:
                return
            if plan != planned:
                planned = plan
                self._observer(RenewalPlanned(token=self._token.name, at=plan.due.wall, reason=plan.reason))
            if await nap_until(min(plan.due.boot, now.boot + 30.0), self._clock, self._wanted):
                return
            self._token.look()

    async def _attempt(self) -> None:
        self._token.attempting()
        self._attempt_began = self._clock.now()
        try:
            minted = await self._minter.attempt()
        except BrokerError:
            raise
        except Exception as error:
            raise ProtocolError(
                f"unexpected {type(error).__name__}: a bug, please report it", code="internal"
            ) from error
        self._take(minted)

    def _take(self, minted: Minted) -> None:
        token, credentials = minted.token, minted.credentials
        degraded = None
        if token.expires_in < self._min_lifetime_seconds:
            degraded = f"a lifetime of {token.expires_in} s is below min_lifetime"
        revision = self._token.take(
            token,
            jitter=self._rng.uniform(-1.0, 1.0),
            trouble=credentials.trouble,
            degraded=degraded,
        )
        self._observer(
            MintSucceeded(
                token=self._token.name,
                authorization_server=self._minter.server.settings.name,
                revision=revision.number,
                issued_at=token.issued.wall,
                expires_at=revision.token.expires_at,
                expires_in=token.expires_in,
                duration_seconds=self._clock.now().boot - self._attempt_began.boot,
                secret_version=token.secret_version,
                degraded=degraded,
            )
        )
        if credentials.expires_at is not None:
            self._observer(ClientSecretExpiryKnown(token=self._token.name, expires_at=credentials.expires_at))

    def _decide(self, error: BrokerError) -> float:
        now = self._clock.now()
        in_a_row = self._token.failed(error)
        decision = retry.next_attempt(
            error.error_class,
            failures=in_a_row,
            remaining_seconds=self._token.remaining_seconds(now),
            retry_after_seconds=error.retry_after_seconds,
            draw=self._rng.random(),
        )
        if error.error_class == "throttled":
            self._minter.server.gate.pause(decision.delay_seconds)
        delay = decision.delay_seconds
        self._token.next_attempt = Moment(now.wall + delay, now.boot + delay)
        self._observer(
            MintFailed(
                token=self._token.name,
                authorization_server=self._minter.server.settings.name,
                error=error.error_class,
                code=error.code,
                condition=error.condition,
                message=error.message,
                consecutive_failures=self._token.failures,
                next_attempt_seconds=delay,
                duration_seconds=now.boot - self._attempt_began.boot,
            )
        )
        return delay

    async def _back_off(self, seconds: float) -> None:
        failed_at = self._clock.now().boot
        await nap_until(failed_at + min(seconds, retry.FLOOR_SECONDS), self._clock)
        while (now := self._clock.now().boot) < failed_at + seconds:
            if await nap_until(min(failed_at + seconds, now + 30.0), self._clock, self._new_secret):
                self._new_secret.clear()
                return
            self._token.look()
