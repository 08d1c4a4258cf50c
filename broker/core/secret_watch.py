"""Notices that a client secret was rotated, between two mints.

Owns: the polling of one managed token's secret version (R-074). Refuses to know: what a new secret leads to (the
renewer mints with it).
"""

from __future__ import annotations

import random

from broker.core.credentials import Credentials, CredentialSource
from broker.core.managed_token import ManagedToken
from broker.core.renewer import Renewer
from broker.errors import SecretAccessDenied, SecretBackendError
from broker.events import SecretRotated
from broker.policy import life as lives
from broker.policy import rotation
from broker.ports import Clock, Observer


class SecretWatch:
    """Polls the version of one managed token's client secret."""

    __slots__ = (
        "_blind",
        "_clock",
        "_credentials",
        "_draw",
        "_last",
        "_observer",
        "_poll_seconds",
        "_renewer",
        "_rng",
        "_token",
    )

    def __init__(
        self,
        *,
        token: ManagedToken,
        credentials: CredentialSource,
        renewer: Renewer,
        poll_seconds: float,
        clock: Clock,
        observer: Observer,
        rng: random.Random,
    ) -> None:
        self._token = token
        self._credentials = credentials
        self._renewer = renewer
        self._poll_seconds = poll_seconds
        self._clock = clock
        self._observer = observer
        self._rng = rng
        self._draw = rng.random()
        self._last = clock.now().boot
        """When it was last looked; a token that has just been built mints first."""
        self._blind = False
        """Whether a policy lets values be read and hides versions: then the value itself has to be looked at."""

    async def turn(self) -> float:
        """Look if it is time; when to look again, which the condition decides (`broker.core.rounds`)."""
        if self.due() <= self._clock.now().boot:
            await self._look()
            self._draw, self._last = self._rng.random(), self._clock.now().boot
        return self.due()

    def due(self) -> float:
        """When it is time, as things stand."""
        return self._last + rotation.poll_delay_seconds(
            self._token.condition, poll_seconds=self._poll_seconds, draw=self._draw
        )

    async def _look(self) -> None:
        known = self._credentials.known
        try:
            hidden = False
            try:
                if known and not self._blind and not await self._version_moved():
                    self._renewer.happened(lives.SecretSeen(self._token.life.secret_version))
                    return
            except SecretAccessDenied:
                hidden = True
            found = await self._credentials.reread()
        except SecretBackendError as error:
            self._renewer.happened(lives.SecretUnreadable(lives.Failure.of(error)))
            return
        self._blind = self._blind or hidden
        # A mint that began while we were reading may have found the new secret by itself.
        attempted = self._credentials.attempted
        if not known and attempted is None and self._is_as_minted(found):
            self._renewer.happened(lives.SecretSeen(found[0].version))
            return
        before = [each.client for each in known] + ([attempted] if attempted else [])
        changed = rotation.untried((each.client for each in found), before)
        if changed:
            version = next(each.version for each in found if each.client == changed[0])
            self._observer(SecretRotated(token=self._token.name, version=version))
            self._renewer.happened(lives.SecretChanged(version))
        else:
            self._renewer.happened(lives.SecretSeen(found[0].version))

    async def _version_moved(self) -> bool:
        return await self._credentials.version_moved(is_awaited=self._token.condition in rotation.AWAITING)

    def _is_as_minted(self, found: tuple[Credentials, ...]) -> bool:
        """At the first look after a token was taken over: only a version can tell that its secret was rotated."""
        life = self._token.life
        if life.failures or life.remaining_seconds(self._clock.now()) <= 0:
            return False
        versions = {each.version for each in found}
        return life.secret_version is None or None in versions or life.secret_version in versions
