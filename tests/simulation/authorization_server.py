"""An authorization server in memory: numbered tokens, one secret per client, and whatever faults a script adds.

Owns: what it answers and the record of that. Implements `HttpTransport`, deadlines included. Refuses to know: the
broker behind the requests. Faults are a list: each may answer, raise, wait, or leave the exchange to the next one.
"""

from __future__ import annotations

import asyncio
import base64
import email.utils
import itertools
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from broker.errors import BrokerError, TransportError
from broker.model import HttpRequest, HttpResponse
from tests.simulation.history import History

MARKER = "S3CR3T-"

_numbers = itertools.count(1)


@dataclass(slots=True)
class RegisteredClient:
    """A client: one secret, which dies at once when it is replaced, while its tokens live on."""

    name: str
    secret: str
    lifetime: int
    suspended: bool = False
    minted: int = 0
    handed_out: tuple[str, float] | None = None
    """The last token and when it ends, for a server that hands it out again."""


@dataclass(slots=True)
class Reply:
    """An answer, and what it means to the one who asked."""

    response: HttpResponse
    outcome: Literal["token", "rejected", "throttled", "failed"] = "failed"
    members: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request on its way through the faults."""

    server: SimulatedServer
    kind: Literal["metadata", "token"]
    client: RegisteredClient | None
    rng: random.Random

    def answer(self) -> Reply:
        """What the server answers when nothing is wrong with it."""
        return self.server.answer(self)


Fault = Callable[[Exchange], Awaitable[Reply | None]]


class SimulatedServer:
    """One `[authorization_servers.NAME]`."""

    def __init__(
        self,
        name: str,
        *,
        boot: Callable[[], float],
        wall: Callable[[], float],
        history: History,
        rng: random.Random,
    ) -> None:
        self.name = name
        self.host = f"{name}.simulated"
        self.issuer = f"https://{self.host}/auth/realms/sim"
        self.metadata_issuer = self.issuer
        self.metadata_endpoint = f"{self.issuer}/token"
        self.clients: dict[str, RegisteredClient] = {}
        self.faults: list[Fault] = []
        self.latency_seconds = 0.05
        self.date_offset_seconds: float | None = None
        self.on_token: Callable[[RegisteredClient, float], None] = lambda client, seconds: None  # noqa: ARG005
        """Told of each token that is handed out, and of how long the broker may serve it."""
        self._boot, self._wall = boot, wall
        self._history = history
        self._rng = rng

    async def send(self, request: HttpRequest, *, total_seconds: float, max_body_bytes: int) -> HttpResponse:
        """Implements `HttpTransport`."""
        if urlsplit(request.url).hostname != self.host:
            self._history.write("stray", url=request.url)
            raise TransportError(f"{urlsplit(request.url).hostname}: connection refused", code="connection")
        if request.method == "GET":
            async with _deadline(total_seconds):
                return self._sent(await self._through_faults(Exchange(self, "metadata", None, self._rng)))
        client, secret = self._who(request)
        number, token = next(_numbers), client.name
        self._history.write("ask", id=number, token=token, server=self.name, secret=secret)
        outcome, members = "cut", {}
        try:
            async with _deadline(total_seconds):
                reply = await self._through_faults(Exchange(self, "token", client, self._rng), secret)
            outcome, members = reply.outcome, reply.members
            return self._sent(reply)
        except BrokerError:
            outcome = "failed"
            raise
        finally:
            self._history.write(
                "answer", id=number, token=token, server=self.name, outcome=outcome, secret=secret, **members
            )
            if outcome == "token":
                self.on_token(client, members["expires_in"])

    async def close(self) -> None:
        """Nothing is kept open."""

    def answer(self, exchange: Exchange) -> Reply:
        """What the server answers when nothing is wrong with it."""
        client = exchange.client
        if client is None:
            return Reply(
                json_response(200, {"issuer": self.metadata_issuer, "token_endpoint": self.metadata_endpoint})
            )
        return self.token(client)

    def token(
        self, client: RegisteredClient, *, value: str | None = None, expires_in: int | None = None
    ) -> Reply:
        """A new token, or the one given."""
        client.minted += 1
        token = value or f"{MARKER}{client.name}-token-{client.minted}"
        seconds = client.lifetime if expires_in is None else expires_in
        client.handed_out = (token, self._boot() + seconds)
        body = {"access_token": token, "expires_in": seconds, "token_type": "Bearer"}
        return Reply(json_response(200, body), "token", {"value": token, "expires_in": seconds})

    def forged(self, client: RegisteredClient, value: str, response: HttpResponse) -> Reply:
        """An answer that holds something which must never be taken for a token."""
        self._history.write("forged", token=client.name, value=value)
        return Reply(response)

    async def _through_faults(self, exchange: Exchange, secret: str | None = None) -> Reply:
        await asyncio.sleep(self.latency_seconds * (0.5 + self._rng.random()))
        for fault in tuple(self.faults):
            reply = await fault(exchange)
            if reply is not None:
                return reply
        client = exchange.client
        if client is not None and client.suspended:
            return Reply(json_response(401, {"error": "invalid_client"}), "rejected")
        if client is not None and secret != client.secret:
            return Reply(json_response(401, {"error": "unauthorized_client"}), "rejected")
        return exchange.answer()

    def _who(self, request: HttpRequest) -> tuple[RegisteredClient, str]:
        form = {key: values[0] for key, values in parse_qs(request.body.decode()).items()}
        kind, _, encoded = request.headers.get(
            "Authorization", request.headers.get("authorization", "")
        ).partition(" ")
        if kind == "Basic":
            name, _, secret = base64.b64decode(encoded).decode().partition(":")
            return self.clients[unquote(name)], unquote(secret)
        return self.clients[form["client_id"]], form["client_secret"]

    def _sent(self, reply: Reply) -> HttpResponse:
        response = reply.response
        if self.date_offset_seconds is None:
            return response
        date = http_date(self._wall() + self.date_offset_seconds)
        return HttpResponse(
            status=response.status, headers={**response.headers, "date": date}, body=response.body
        )


@asynccontextmanager
async def _deadline(seconds: float) -> AsyncIterator[None]:
    """What a transport makes of a peer that does not finish in time."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise TransportError(f"no answer within {seconds:g} s", code="timeout") from None


def json_response(status: int, members: dict[str, object], **headers: str) -> HttpResponse:
    """JSON as an authorization server words it; header names come with underscores."""
    return HttpResponse(
        status=status,
        headers={"content-type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}},
        body=json.dumps(members).encode(),
    )


def http_date(wall: float) -> str:
    """RFC 9110 5.6.7; years that it cannot say are not said."""
    return email.utils.formatdate(min(max(wall, 0.0), 4e9), usegmt=True)
