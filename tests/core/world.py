"""A small world for the core: one authorization server in memory, one secret backend, virtual time.

The server numbers its tokens (`token-1-S3CR3T-...`) and knows one secret per client, as the customer's does.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import parse_qs

from broker.api import Capability
from broker.core.authorization_server import AuthorizationServer, AuthorizationServerSettings
from broker.core.backend_client import BackendClient
from broker.core.credentials import CredentialSource
from broker.core.insistence import Insistence
from broker.core.managed_token import ManagedToken
from broker.core.minter import Minter
from broker.core.naps import Naps
from broker.core.renewer import Renewer
from broker.core.rounds import Round, Rounds
from broker.core.secret_watch import SecretWatch
from broker.core.store import Store
from broker.model import HttpRequest, HttpResponse, TokenRequest
from broker.oauth.client_auth import client_secret_post
from broker.options import SecretRef
from broker.testing.clock import LoopClock
from broker.testing.memory_backend import MemorySecretBackend
from broker.testing.observer import RecordingObserver

T = TypeVar("T")

LIFETIME_SECONDS = 43_200
FIRST_SECRET = "S3CR3T-first"

Answer = Callable[[HttpRequest], HttpResponse]


class InlineRunner:
    """Implements BlockingRunner on the event loop's own thread."""

    async def run(self, call: Callable[[], T], *, deadline_seconds: float) -> T:
        await asyncio.sleep(0)
        return call()

    def close(self) -> None:
        return


class SlowRunner:
    """Implements BlockingRunner: every call takes so long on the loop's clock, and then happens."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds

    async def run(self, call: Callable[[], T], *, deadline_seconds: float) -> T:
        async with asyncio.timeout(deadline_seconds):
            await asyncio.sleep(self.seconds)
        return call()

    def close(self) -> None:
        return


@dataclass
class MemoryServer:
    """Implements HttpTransport: a token endpoint with one client and one secret."""

    now: Callable[[], float]
    secret: str = FIRST_SECRET
    lifetime_seconds: int = LIFETIME_SECONDS
    fault: Answer | None = None
    latency_seconds: float = 0.05
    requests_at: list[float] = field(default_factory=list)
    refused_at: list[float] = field(default_factory=list)
    tokens: int = 0

    async def send(
        self,
        request: HttpRequest,
        *,
        total_seconds: float,
        max_body_bytes: int,
    ) -> HttpResponse:
        self.requests_at.append(self.now())
        await asyncio.sleep(self.latency_seconds)
        if self.fault is not None:
            return self.fault(request)
        form = parse_qs(request.body.decode())
        if form["client_secret"] != [self.secret]:
            self.refused_at.append(self.now())
            return refusal(401, "unauthorized_client")
        self.tokens += 1
        return token_answer(f"token-{self.tokens}-S3CR3T", self.lifetime_seconds)

    async def close(self) -> None:
        return


def token_answer(token: str, expires_in: int) -> HttpResponse:
    """A success as Keycloak words it."""
    body = {"access_token": token, "expires_in": expires_in, "token_type": "Bearer", "scope": "a"}
    return HttpResponse(
        status=200, headers={"content-type": "application/json"}, body=json.dumps(body).encode()
    )


def refusal(status: int, error: str, **headers: str) -> HttpResponse:
    """A refusal as RFC 6749 5.2 words it; header names come with underscores."""
    return HttpResponse(
        status=status,
        headers={"content-type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}},
        body=json.dumps({"error": error}).encode(),
    )


@dataclass
class Place:
    """One managed token and its parts."""

    token: ManagedToken
    renewer: Renewer
    watch: SecretWatch
    minter: Minter
    rounds: list[Round]


class World:
    """Everything that one authorization server's tokens need. Build it inside a running (virtual) loop."""

    def __init__(
        self,
        *,
        seed: int = 1,
        capabilities: frozenset[Capability] = frozenset({"versions", "cheap_version_check"}),
    ) -> None:
        loop = asyncio.get_running_loop()
        self.clock = LoopClock(loop.time)
        self.naps = Naps(self.clock)
        self.rounds = Rounds(self.naps, loop)
        self._running = loop.create_task(self.rounds.run())
        self.began = loop.time()
        self.observer = RecordingObserver()
        self.rng = random.Random(seed)
        self.backend = MemorySecretBackend()
        self.backend.put("client", {"id": "deploy", "secret": FIRST_SECRET})
        self.server = MemoryServer(now=loop.time)
        self.authorization_server = AuthorizationServer(
            AuthorizationServerSettings(
                name="odc",
                discovery_url=None,
                issuer=None,
                token_endpoint="https://login.example/token",
                allowed_hosts=frozenset(),
                allow_insecure_loopback=False,
                profile="outsystems-odc",
                token_endpoint_auth_method=None,
                max_concurrent_mints=4,
            ),
            transport=self.server,
            naps=self.naps,
            observer=self.observer,
        )
        self.backends = {
            "corp": BackendClient(
                name="corp",
                plugin="memory",
                capabilities=capabilities,
                create=lambda: self.backend,
                runner=InlineRunner(),
                observer=self.observer,
                clock=self.clock,
            )
        }
        self.store = Store(self.clock, self.observer)

    def start(
        self, name: str = "deploy", *, poll_seconds: float = 60.0, secret_paths: tuple[str, ...] = ("client",)
    ) -> Place:
        """Start keeping one more token of this server."""
        token = ManagedToken(
            name, renew_at=0.5, min_lifetime_seconds=60.0, clock=self.clock, observer=self.observer
        )
        credentials = CredentialSource(
            client_id=SecretRef(backend="corp", path="client", field="id"),
            client_secrets=tuple(
                SecretRef(backend="corp", path=path, field="secret") for path in secret_paths
            ),
            client_secret_expires=None,
            strip_newline=True,
            backends=self.backends,
            insistence=Insistence(self.naps, self.rng),
        )
        minter = Minter(
            server=self.authorization_server,
            credentials=credentials,
            request=TokenRequest(scope=("a",)),
            default_lifetime_seconds=None,
            client_auth=lambda method: client_secret_post.plugin.authenticate,  # noqa: ARG005 - one method here
            naps=self.naps,
        )
        renewer = Renewer(
            token=token,
            minter=minter,
            naps=self.naps,
            observer=self.observer,
            rng=self.rng,
        )
        watch = SecretWatch(
            token=token,
            credentials=credentials,
            renewer=renewer,
            poll_seconds=poll_seconds,
            clock=self.clock,
            observer=self.observer,
            rng=self.rng,
        )
        self.store.put(token, renewer)
        renewer.round = self.rounds.start("renewer", "deploy", renewer)
        watching = self.rounds.start("secret watch", "deploy", watch)
        token.wakes(watching)
        return Place(
            token=token, renewer=renewer, watch=watch, minter=minter, rounds=[renewer.round, watching]
        )

    async def until(self, seconds: float) -> None:
        """Let virtual time pass until so many seconds after the beginning."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self.began + seconds - loop.time())

    @property
    def request_times(self) -> list[float]:
        """Seconds after the beginning at which the token endpoint was asked."""
        return [at - self.began for at in self.server.requests_at]

    def token_value(self, place: Place) -> str:
        """The current access token."""
        assert place.token.revision is not None
        return place.token.revision.token.value.reveal()
