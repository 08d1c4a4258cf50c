"""The rounds of one managed token: rest until renewal is due, mint until it worked, begin again.

Owns: the single flight of one token (nobody else mints for it, whoever asks) and the sleeping. Refuses to know: how an
attempt is made, and every decision (`policy.life`).
"""

from __future__ import annotations

import random

from broker.core.managed_token import ManagedToken
from broker.core.minter import Minted, Minter
from broker.core.naps import Bell, Naps
from broker.core.retrying import until_success
from broker.core.rounds import NOW, Round
from broker.errors import BrokerError, ProtocolError
from broker.events import ClientSecretExpiryKnown, MintFailed, MintSucceeded, RenewalPlanned
from broker.policy import life as lives
from broker.policy import retry
from broker.ports import Observer, RenewAnswer

LOOK_SECONDS = 30.0
"""How often a token is looked at during a back-off, so that a state that time changed is told; while it rests, time
changes nothing before the renewal is due."""


class Renewer:
    """Keeps one managed token fresh."""

    __slots__ = (
        "_attempt_began",
        "_bell",
        "_clock",
        "_mint_now",
        "_minter",
        "_naps",
        "_observer",
        "_planned",
        "_rng",
        "_token",
        "round",
    )

    def __init__(
        self,
        *,
        token: ManagedToken,
        minter: Minter,
        naps: Naps,
        observer: Observer,
        rng: random.Random,
        due_now: bool = False,
    ) -> None:
        self._token = token
        self._minter = minter
        self._naps = naps
        self._clock = naps.clock
        self._observer = observer
        self._rng = rng
        self._mint_now = due_now
        self._bell: Bell | None = None
        """Ends a back-off, while there is one."""
        self.round: Round | None = None
        """What has to be woken for a mint that is asked for."""
        self._planned: float | None = None
        """The renewal that was told, on the boot clock."""
        self._attempt_began = 0.0
        """On the boot clock."""

    def request(self) -> RenewAnswer:
        """Mint now; a flight that is under way or waits for the end of a pause or back-off is the answer."""
        return "started" if self.happened(lives.RenewalWanted()) else "pending"

    def happened(self, event: lives.Event) -> bool:
        """Let an event happen; whether it leads to an attempt at once."""
        mint_now = any(isinstance(effect, lives.MintNow) for effect in self._token.apply(event))
        if mint_now:
            self._mint_now = True
            if self._bell is not None:
                self._bell.ring()
            if self.round is not None:
                self.round.wake()
        return mint_now

    async def turn(self) -> float:
        """Mint if it is due; when to look again (`broker.core.rounds`)."""
        self._token.look()
        now = self._clock.now()
        plan = self._token.renewal_plan(now)
        if not self._mint_now and plan.due.boot > now.boot:
            if plan.due.boot != self._planned:
                self._planned = plan.due.boot
                self._observer(RenewalPlanned(token=self._token.name, at=plan.due.wall, reason=plan.reason))
            return plan.due.boot
        self._planned = None
        await until_success(self._attempt, decide=self._decide, sleep=self._back_off)
        return NOW

    async def _attempt(self) -> None:
        self._mint_now = False
        self._token.apply(lives.AttemptBegan())
        began = self._clock.now()
        self._attempt_began = began.boot
        try:
            minted = await self._minter.attempt(
                is_retry=self._token.life.failures > 0,
                remaining_seconds=self._token.remaining_seconds(began),
            )
        except BrokerError:
            raise
        except Exception as error:
            raise ProtocolError(
                f"unexpected {type(error).__name__}: a bug, please report it", code="internal"
            ) from error
        self._take(minted)

    def _take(self, minted: Minted) -> None:
        token, credentials = minted.token, minted.credentials
        trouble = lives.Failure.of(credentials.trouble) if credentials.trouble else None
        self._token.apply(lives.Minted(token=token, jitter=self._rng.uniform(-1.0, 1.0), trouble=trouble))
        life = self._token.life
        if life.revision is None:
            raise AssertionError("a mint leaves a revision")
        self._observer(
            MintSucceeded(
                token=self._token.name,
                authorization_server=self._minter.server.settings.name,
                revision=life.revision.number,
                issued_at=token.issued.wall,
                expires_at=life.revision.token.expires_at,
                expires_in=token.expires_in,
                duration_seconds=self._clock.now().boot - self._attempt_began,
                secret_version=token.secret_version,
                degraded=life.reason if token.expires_in < life.min_lifetime_seconds else None,
            )
        )
        if credentials.expires_at is not None:
            self._observer(ClientSecretExpiryKnown(token=self._token.name, expires_at=credentials.expires_at))

    def _decide(self, error: BrokerError) -> float:
        effects = self._token.apply(
            lives.AttemptFailed(failure=lives.Failure.of(error), draw=self._rng.random())
        )
        delay = 0.0
        for effect in effects:
            if isinstance(effect, lives.PauseServer):
                self._minter.server.gate.pause(effect.seconds)
            elif isinstance(effect, lives.BackOff):
                delay = effect.seconds
        self._observer(
            MintFailed(
                token=self._token.name,
                authorization_server=self._minter.server.settings.name,
                error=error.error_class,
                code=error.code,
                condition=error.condition,
                message=error.message,
                consecutive_failures=self._token.life.failures,
                next_attempt_seconds=delay,
                duration_seconds=self._clock.now().boot - self._attempt_began,
            )
        )
        return delay

    async def _back_off(self, seconds: float) -> None:
        failed_at = self._clock.now().boot
        # Whatever happens meanwhile, no two requests are closer than this.
        await self._naps.until(failed_at + min(seconds, retry.FLOOR_SECONDS))
        self._bell = Bell()
        while not self._mint_now and (now := self._clock.now().boot) < failed_at + seconds:
            await self._naps.until(min(failed_at + seconds, now + LOOK_SECONDS), self._bell)
            self._token.look()
        self._bell = None
        self._token.apply(lives.BackOffEnded())
