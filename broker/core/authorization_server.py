"""One authorization server: its metadata, its connections, its gate.

Owns: the metadata cache (one fetch at a time, last good kept, R-018, R-019) and the sending of access token requests.
Refuses to know: what documents must look like (`oauth.metadata`), when to try again, which tokens there are.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from broker.core.gate import Gate
from broker.core.naps import Naps
from broker.errors import BrokerError
from broker.events import ClockSkewMeasured
from broker.model import AuthorizationServerMetadata, HttpRequest, HttpResponse
from broker.oauth import metadata as documents
from broker.oauth.clock_skew import clock_skew_seconds
from broker.policy import retry
from broker.ports import HttpTransport, Observer

DISCOVERY_SECONDS = 10.0
TOKEN_SECONDS = 30.0
BODY_BYTES = 1024 * 1024
REFETCH_SECONDS = 600.0
STALE_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationServerSettings:
    """What the configuration says of one authorization server. `token_endpoint` or `discovery_url` is set."""

    name: str
    discovery_url: str | None
    issuer: str | None
    token_endpoint: str | None
    allowed_hosts: frozenset[str]
    allow_insecure_loopback: bool
    profile: str
    token_endpoint_auth_method: str | None
    max_concurrent_mints: int


class AuthorizationServer:
    """One `[authorization_servers.NAME]` table at work. Two tables share nothing, even with one endpoint."""

    def __init__(
        self,
        settings: AuthorizationServerSettings,
        *,
        transport: HttpTransport,
        naps: Naps,
        observer: Observer,
    ) -> None:
        self.settings = settings
        self.gate = Gate(max_concurrent_mints=settings.max_concurrent_mints, naps=naps)
        self._transport = transport
        self._clock = naps.clock
        self._observer = observer
        self._fetching = asyncio.Lock()
        self._metadata: AuthorizationServerMetadata | None = None
        self._fresh_until = 0.0
        self._refetched_at = float("-inf")

    async def metadata(self, *, remaining_seconds: float) -> AuthorizationServerMetadata:
        """The metadata in force. Raises BrokerError if there never was one that could be used."""
        if self.settings.token_endpoint is not None:
            return AuthorizationServerMetadata(
                issuer=self.settings.issuer, token_endpoint=self.settings.token_endpoint
            )
        async with self._fetching:
            if self._metadata is None or self._clock.now().boot >= self._fresh_until:
                try:
                    self._metadata = await self._fetch(remaining_seconds)
                except BrokerError:
                    if self._metadata is None:
                        raise
                    self._fresh_until = self._clock.now().boot + STALE_SECONDS
            return self._metadata

    def distrust_metadata(self) -> None:
        """The token endpoint is gone: read the metadata again at the next attempt, once in ten minutes at most."""
        now = self._clock.now().boot
        if now - self._refetched_at >= REFETCH_SECONDS:
            self._refetched_at = now
            self._fresh_until = 0.0

    async def send(self, request: HttpRequest, *, remaining_seconds: float) -> HttpResponse:
        """One trip to the token endpoint, for a token with that much life left. TransportError, ProtocolError."""
        patience = retry.patience_seconds(TOKEN_SECONDS, remaining_seconds=remaining_seconds)
        response = await self._transport.send(request, total_seconds=patience, max_body_bytes=BODY_BYTES)
        skew = clock_skew_seconds(response, wall_now=self._clock.now().wall)
        if skew is not None:
            self._observer(ClockSkewMeasured(authorization_server=self.settings.name, seconds=skew))
        return response

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def _fetch(self, remaining_seconds: float) -> AuthorizationServerMetadata:
        url = self.settings.discovery_url
        if url is None:
            raise ValueError(f"authorization server {self.settings.name} has neither endpoint nor discovery")
        request = HttpRequest(method="GET", url=url, headers={"accept": "application/json"})
        patience = retry.patience_seconds(DISCOVERY_SECONDS, remaining_seconds=remaining_seconds)
        response = await self._transport.send(request, total_seconds=patience, max_body_bytes=BODY_BYTES)
        found = documents.parse(
            response,
            issuer=self.settings.issuer,
            allowed_hosts=self.settings.allowed_hosts,
            allow_insecure_loopback=self.settings.allow_insecure_loopback,
            wall_now=self._clock.now().wall,
        )
        self._fresh_until = self._clock.now().boot + documents.lifetime_seconds(response)
        return found
