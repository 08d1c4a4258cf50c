"""Exactly one mint attempt for one managed token.

Owns: the walk metadata -> credentials -> authenticated request -> answer -> AccessToken, and the one immediate second
try that a rejected credential with a *changed* secret is worth (R-050). Refuses to know: retries, schedules, where the
token goes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from broker.api import ClientAuthentication
from broker.core.authorization_server import AuthorizationServer
from broker.core.credentials import Credentials, CredentialSource
from broker.core.naps import Naps
from broker.errors import AwaitingSecret, CredentialRejected, SecretBackendError, TokenEndpointMoved
from broker.model import AccessToken, Client, TokenRequest
from broker.oauth import profiles, token_endpoint
from broker.policy import rotation

BETWEEN_REQUESTS_SECONDS = 0.1
BETWEEN_SECRETS_SECONDS = 1.0
"""After a second rejection in a row the third secret waits a little (R-053)."""

Authenticate = Callable[[Client], ClientAuthentication]


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted:
    """A token and the credentials that it was minted with."""

    token: AccessToken
    credentials: Credentials


class Minter:
    """Mints for one managed token."""

    __slots__ = (
        "_asked_at",
        "_client_auth",
        "_clock",
        "_default_lifetime_seconds",
        "_naps",
        "_request",
        "credentials",
        "server",
    )

    def __init__(
        self,
        *,
        server: AuthorizationServer,
        credentials: CredentialSource,
        request: TokenRequest,
        default_lifetime_seconds: float | None,
        client_auth: Callable[[str], Authenticate],
        naps: Naps,
    ) -> None:
        self.server = server
        self.credentials = credentials
        self._request = request
        self._default_lifetime_seconds = default_lifetime_seconds
        self._client_auth = client_auth
        self._naps = naps
        self._clock = naps.clock
        self._asked_at = float("-inf")

    async def attempt(self, *, is_retry: bool, remaining_seconds: float) -> Minted:
        """One attempt. Raises BrokerError: anything of the secret backend, the metadata, the transport or the answer.

        Secrets are read for each attempt and tried in their order. When all are rejected they are read once more: a
        changed value is tried at once, unchanged ones mean that a new secret is awaited.
        """
        slot = self.server.gate.slot
        tried: list[Client] = []

        async def exchange(credentials: Credentials) -> Minted:
            tried.append(credentials.client)
            self.credentials.attempted = credentials.client
            async with slot(is_retry=is_retry, remaining_seconds=remaining_seconds):
                try:
                    minted = await self._exchange(credentials, remaining_seconds)
                except CredentialRejected:
                    self.credentials.lost(credentials.client)
                    raise
            self.credentials.won(credentials)
            return minted

        rejection: CredentialRejected | None = None
        for used in await self.credentials.read():
            if used.client in tried or self.credentials.is_outdated(used):
                continue
            if len(tried) > 1:
                await self._naps.until(self._clock.now().boot + BETWEEN_SECRETS_SECONDS)
            try:
                return await exchange(used)
            except CredentialRejected as error:
                rejection = rejection or error
        if rejection is None:
            raise AwaitingSecret(
                "the client secret was rejected; the secret backend tells of a newer version, and still gives the old "
                "one: a replica lags behind"
            )
        try:
            again = await self.credentials.reread()
        except SecretBackendError:
            raise rejection from None
        changed = rotation.untried((found.client for found in again), tried)
        if not changed:
            raise AwaitingSecret(
                f"{rejection.message}; the secret backend still holds the rejected secret: store the new one",
                code=rejection.code,
            )
        return await exchange(next(found for found in again if found.client == changed[0]))

    async def _exchange(self, credentials: Credentials, remaining_seconds: float) -> Minted:
        metadata = await self.server.metadata(remaining_seconds=remaining_seconds)
        settings = self.server.settings
        method = profiles.auth_method(settings.token_endpoint_auth_method, settings.profile, metadata)
        request = token_endpoint.build_request(
            token_endpoint=metadata.token_endpoint,
            request=self._request,
            authentication=self._client_auth(method)(credentials.client),
        )
        # However quick server and backend are.
        await self._naps.until(self._asked_at + BETWEEN_REQUESTS_SECONDS)
        issued = self._clock.now()
        self._asked_at = issued.boot
        response = await self.server.send(request, remaining_seconds=remaining_seconds)
        try:
            token = token_endpoint.parse_answer(
                response,
                request=self._request,
                issued=issued,
                wall_now=self._clock.now().wall,
                default_lifetime_seconds=self._default_lifetime_seconds,
                secret_version=credentials.version,
            )
        except TokenEndpointMoved:
            self.server.distrust_metadata()
            raise
        return Minted(token=token, credentials=credentials)
