"""The world around a simulated broker: authorization server, secret backend, threads, readers, all in one thread.

Owns: what the broker is given through its ports, and the writing of the history. Refuses to know: what is right.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs

import msgspec

from broker.api import ClientAuthPlugin, PluginContext, SecretBackendPlugin, TokenSinkPlugin
from broker.errors import SecretBackendError, SecretBackendUnavailable, TransportError
from broker.events import Event, RenewalPlanned
from broker.model import HttpRequest, HttpResponse, Secret, SecretDocument
from broker.plugins import Plugins
from tests.simulation.history import Asked, History, Minted
from tests.simulation.loop import Time

T = TypeVar("T")

MARKER = "S3CR3T-"
LIFETIMES = (43_200, 43_200, 3_600, 900)
"""The customer's twelve hours, and lives short enough for every fault to meet a renewal."""
ISSUER = "https://login.simulated/auth/realms/sim"
Fault = Callable[[HttpRequest, str], HttpResponse | None]


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A `[secret_backends.NAME]` table of type "simulated": no keys."""


@dataclass
class Client:
    """A client as the authorization server knows it: one secret, which dies at a rotation."""

    secret: str
    lifetime: int
    suspended: bool = False
    minted: int = 0
    same_token: Minted | None = None


class World:
    """Everything outside of the broker."""

    def __init__(self, *, time: Time, rng: random.Random, names: tuple[str, ...], directory: Path) -> None:
        self.time = time
        self.rng = rng
        self.names = names
        self.directory = directory
        self.history = History(names=names, marker=MARKER)
        self.clients = {
            name: Client(secret=f"{MARKER}{name}-1", lifetime=rng.choice(LIFETIMES)) for name in names
        }
        self.stored = {name: [f"{MARKER}{name}-1"] for name in names}
        self.stale_reads = False
        self.fault: Callable[[str], HttpResponse | None] | None = None
        self.latency = 0.05
        self.black_hole = False
        self.backend_fault: SecretBackendError | None = None
        self.backend_seconds = 0.01
        self.repeats_tokens = False
        self.loses_answers = False
        self.discovery_issuer = ISSUER
        self.plugins = SimulatedPlugins(self)

    # ------------------------------------------------------------------------------------- the network

    async def send(self, request: HttpRequest, *, total_seconds: float, max_body_bytes: int) -> HttpResponse:
        """Implements `HttpTransport`."""
        if request.method == "GET":
            return await self._metadata(total_seconds)
        form = {key: values[0] for key, values in parse_qs(request.body.decode()).items()}
        name, secret = form["client_id"], form["client_secret"]
        began, answer = self.time.boot(), "none"
        try:
            if self.black_hole:
                await asyncio.sleep(total_seconds)
                raise TransportError(f"no answer within {total_seconds:g} s", code="timeout")
            await asyncio.sleep(self.latency * (0.5 + self.rng.random()))
            response = self.fault(name) if self.fault is not None else None
            answer = "other"
            if response is None:
                response = self._token(name, secret, began)
                answer = "ok" if response.status == 200 else "other"
            if response.status in (400, 401) and b"_client" in response.body:
                answer = "credential"
            return response
        finally:
            self.history.asked.append(Asked(began, self.time.boot(), name, secret, answer))

    async def close(self) -> None:
        """Nothing is kept open."""

    async def _metadata(self, total_seconds: float) -> HttpResponse:
        if self.black_hole:
            await asyncio.sleep(total_seconds)
            raise TransportError("no answer", code="timeout")
        await asyncio.sleep(self.latency)
        return answer(200, {"issuer": self.discovery_issuer, "token_endpoint": f"{ISSUER}/token"})

    def _token(self, name: str, secret: str, began: float) -> HttpResponse:
        client = self.clients[name]
        if client.suspended:
            return answer(401, {"error": "invalid_client"})
        if secret != client.secret:
            return answer(401, {"error": "unauthorized_client"})
        held = client.same_token
        if self.repeats_tokens and held is not None and held.ends - self.time.boot() > 5:
            left = int(held.ends - self.time.boot())
            return answer(200, {"access_token": held.token, "expires_in": left, "token_type": "Bearer"})
        client.minted += 1
        token = Minted(
            at=self.time.boot(),
            name=name,
            token=f"{MARKER}{name}-token-{client.minted}",
            ends=began + client.lifetime,
            secret=secret,
        )
        if self.loses_answers and self.rng.random() < 0.7:
            raise TransportError("login.simulated: connection reset by peer", code="connection")
        client.same_token = token
        self.history.minted.append(token)
        return answer(
            200, {"access_token": token.token, "expires_in": client.lifetime, "token_type": "Bearer"}
        )

    # ------------------------------------------------------------------------------------- secrets

    def rotate_at_server(self, name: str) -> str:
        """The old secret dies at once, issued tokens live on; answers the new one."""
        number = len(self.stored[name]) + self.rng.randrange(1, 1_000_000)
        self.clients[name].secret = f"{MARKER}{name}-{number}"
        return self.clients[name].secret

    def store(self, name: str, secret: str) -> None:
        """Write a new version to the backend."""
        self.stored[name].append(secret)

    # ------------------------------------------------------------------------------------- events

    def observe(self, event: Event) -> None:
        """Implements `Observer`."""
        self.history.told.append(repr(event))
        if isinstance(event, RenewalPlanned):
            self.history.plans.append((self.time.boot(), event.token, event.at))


class SimulatedThreads:
    """Implements `BlockingRunner` without threads: a call takes as long as the world says."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds

    async def run(self, call: Callable[[], T], *, deadline_seconds: float) -> T:
        """The call, at its end; TimeoutError for one that hangs."""
        seconds = self._seconds()
        if seconds > deadline_seconds:
            await asyncio.sleep(deadline_seconds)
            raise TimeoutError
        await asyncio.sleep(seconds)
        return call()

    def close(self) -> None:
        """Nothing runs."""


class SimulatedBackend:
    """Implements `SecretBackend` over the world's stored secrets; a path is a token's name."""

    def __init__(self, world: World) -> None:
        self._world = world

    def read(self, path: str, *, timeout_seconds: float) -> SecretDocument:
        index = self._index(path)
        fields = {"id": Secret(path), "secret": Secret(self._world.stored[path][index])}
        return SecretDocument(fields=fields, version=str(index))

    def version(self, path: str, *, timeout_seconds: float) -> str | None:
        return str(self._index(path))

    def close(self) -> None:
        """Nothing is open."""

    def _index(self, path: str) -> int:
        if self._world.backend_fault is not None:
            raise self._world.backend_fault
        last = len(self._world.stored[path]) - 1
        return last - 1 if self._world.stale_reads and last > 0 and self._world.rng.random() < 0.5 else last


class SimulatedPlugins:
    """The installed plug-ins, and the secret backend `simulated`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._real = Plugins()

    def secret_backend(self, name: str) -> SecretBackendPlugin:
        world = self._world

        def create(options: Any, context: PluginContext) -> SimulatedBackend:
            if world.backend_fault is not None:
                raise SecretBackendUnavailable("not there yet")
            return SimulatedBackend(world)

        return SecretBackendPlugin(options=Options, create=create)

    def sink(self, name: str) -> TokenSinkPlugin:
        return self._real.sink(name)

    def client_auth(self, name: str) -> ClientAuthPlugin:
        return self._real.client_auth(name)

    def names(self, kind: str) -> tuple[str, ...]:
        return ("simulated",) if kind == "secret_backend" else self._real.names(kind)  # type: ignore[arg-type]  # a word of a closed set


def answer(status: int, members: dict[str, object], **headers: str) -> HttpResponse:
    """JSON as an authorization server words it; header names come with underscores."""
    return HttpResponse(
        status=status,
        headers={"content-type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}},
        body=json.dumps(members).encode(),
    )
