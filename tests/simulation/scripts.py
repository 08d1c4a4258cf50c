"""The fault scenarios (docs/requirements.md, C) that a simulation can play, alone or combined.

Owns: what happens when, in each. Refuses to know: what must hold meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from broker.errors import (
    SecretAccessDenied,
    SecretBackendError,
    SecretBackendUnavailable,
    SecretNotFound,
    TransportError,
)
from broker.model import HttpResponse
from tests.simulation.history import Disturbance
from tests.simulation.world import World, answer

if TYPE_CHECKING:
    from tests.simulation.run import Stage

HALF_HOUR: Final = 1800.0
LIFETIME: Final = 43_200.0


@dataclass(frozen=True, slots=True)
class Script:
    """One scenario; `longest_seconds` bounds how long it disturbs."""

    longest_seconds: float
    play: Callable[[Stage], Awaitable[None]]


@contextmanager
def disturbing(world: World, what: str) -> Iterator[None]:
    """The world is not in order inside."""
    begin = world.time.boot()
    try:
        yield
    finally:
        world.history.disturbances.append(Disturbance(begin, world.time.boot(), what))


def answering(what: str, response: Callable[[World], HttpResponse], *, seconds: float) -> Script:
    """The token endpoint answers this to everybody, for a random part of that time."""

    async def play(stage: Stage) -> None:
        world = stage.world
        with disturbing(world, what):
            world.fault = lambda name: response(world)  # noqa: ARG005 - to everybody
            await asyncio.sleep(world.rng.uniform(0.3, 1.0) * seconds)
            world.fault = None

    return Script(seconds, play)


def refused(world: World) -> HttpResponse:
    """Nobody listens, or the connection breaks off after the request was sent."""
    what = world.rng.choice(["connection refused", "connection reset by peer"])
    raise TransportError(f"login.simulated: {what}", code="connection")


def throttled(world: World) -> HttpResponse:
    """429 with every Retry-After there is."""
    value = world.rng.choice(["60", "0", "-1", "1000000000", "Sun, 06 Nov 1994 08:49:37 GMT", "soon"])
    return answer(429, {"error": "slow_down"}, retry_after=value)


def garbled(world: World) -> HttpResponse:
    """Not what a token endpoint should say."""
    return world.rng.choice(
        [
            HttpResponse(status=500, body=b"<html>"),
            HttpResponse(status=200, headers={"content-type": "text/html"}, body=b"<html>S3CR3T-</html>"),
            answer(200, {"error": "server_error"}),
            HttpResponse(status=200),
            HttpResponse(status=302, headers={"location": "https://evil.simulated/"}),
            answer(200, {"access_token": "S3CR3T-a\r\nb", "expires_in": 60, "token_type": "Bearer"}),
            answer(200, {"access_token": "S3CR3T-abcdefgh", "expires_in": -5, "token_type": "Bearer"}),
            answer(200, {"access_token": "S3CR3T-abcdefgh", "expires_in": True, "token_type": "Bearer"}),
            HttpResponse(status=200, body=b'{"access_token": "S3CR3T-abcdefgh", "expires_in": 1e400}'),
        ]
    )


async def black_hole(stage: Stage) -> None:
    """F-02: packets go nowhere."""
    world = stage.world
    with disturbing(world, "F-02"):
        world.black_hole = True
        await asyncio.sleep(world.rng.uniform(0.05, 0.38) * LIFETIME)
        world.black_hole = False


async def slow(stage: Stage) -> None:
    """F-03: every answer takes twenty seconds."""
    world = stage.world
    with disturbing(world, "F-03"):
        world.latency = 20.0
        await asyncio.sleep(world.rng.uniform(0.1, 0.5) * LIFETIME)
        world.latency = 0.05


async def shorter(stage: Stage) -> None:
    """F-11: lifetimes are shortened to five minutes for a while."""
    world = stage.world
    with disturbing(world, "F-11"):
        before = {name: client.lifetime for name, client in world.clients.items()}
        for client in world.clients.values():
            client.lifetime = 300
        await asyncio.sleep(2 * LIFETIME)
        for name, client in world.clients.items():
            client.lifetime = before[name]
        await asyncio.sleep(400)


async def other_issuer(stage: Stage) -> None:
    """F-12: the metadata names another issuer for a day."""
    world = stage.world
    with disturbing(world, "F-12"):
        good, world.discovery_issuer = world.discovery_issuer, "https://evil.simulated"
        await asyncio.sleep(world.rng.uniform(0.5, 1.0) * 86_400)
        world.discovery_issuer = good


async def lost_answers(stage: Stage) -> None:
    """F-15: the server mints, and the connection breaks before the answer is through."""
    world = stage.world
    with disturbing(world, "F-15"):
        world.loses_answers = True
        await asyncio.sleep(world.rng.uniform(0.2, 0.6) * LIFETIME)
        world.loses_answers = False


async def spoilt_cache(stage: Stage) -> None:
    """F-51: what the cache kept is truncated, overwritten or replaced before a restart."""
    world = stage.world
    for _ in range(3):
        with disturbing(world, "F-51"):
            for name in world.names:
                file = world.directory / "state" / "cache" / f"{name}.jwe"
                content = file.read_bytes() if file.exists() else b""
                file.write_bytes(
                    world.rng.choice([b"", content[:-9], world.rng.randbytes(400), content + b"x"])
                )
            await stage.restart(kill=True, down_seconds=1.0)
            await asyncio.sleep(60)
        await asyncio.sleep(world.rng.uniform(1, 3600))


def rotation(what: str, *, server_first: bool) -> Script:
    """F-16, F-17: the client secret changes at one end half an hour before it does at the other."""

    async def play(stage: Stage) -> None:
        world = stage.world
        name = world.rng.choice(world.names)
        with disturbing(world, what):
            if server_first:
                secret = world.rotate_at_server(name)
                await asyncio.sleep(HALF_HOUR)
                world.store(name, secret)
            else:
                world.store(name, f"S3CR3T-{name}-next-{len(world.stored[name])}")
                await asyncio.sleep(HALF_HOUR)
                world.clients[name].secret = world.stored[name][-1]
            await asyncio.sleep(60)

    return Script(HALF_HOUR + 60, play)


async def wrong_secret(stage: Stage) -> None:
    """F-18: somebody stores a wrong secret, and mends it after some hours."""
    world = stage.world
    name = world.rng.choice(world.names)
    with disturbing(world, "F-18"):
        good = world.stored[name][-1]
        world.store(name, "S3CR3T-mistyped")
        await asyncio.sleep(world.rng.uniform(0.1, 1.0) * 6 * 3600)
        world.store(name, good if good == world.clients[name].secret else world.clients[name].secret)
        await asyncio.sleep(60)


async def suspended(stage: Stage) -> None:
    """F-19: the client is suspended and resumed."""
    world = stage.world
    client = world.clients[world.rng.choice(world.names)]
    with disturbing(world, "F-19"):
        client.suspended = True
        await asyncio.sleep(world.rng.uniform(0.1, 1.0) * 7200)
        client.suspended = False


async def screams(stage: Stage) -> None:
    """F-20: consumers report the current token as refused, thousands of times."""
    world = stage.world
    name = world.rng.choice(world.names)
    for _ in range(3000):
        await asyncio.sleep(1.0)
        revision = stage.broker.store.revision(name)
        if revision is not None:
            stage.broker.store.reject(name, fingerprint=revision.token.fingerprint, requested_at=None)


async def stale(stage: Stage) -> None:
    """F-21: a lagging replica answers every other read with the version before."""
    world = stage.world
    with disturbing(world, "F-21"):
        world.stale_reads = True
        await asyncio.sleep(3 * 3600)
        world.stale_reads = False


def backend(what: str, error: Callable[[World], SecretBackendError]) -> Script:
    """F-22, F-26: the secret backend says no in one of its ways."""

    async def play(stage: Stage) -> None:
        world = stage.world
        with disturbing(world, what):
            world.backend_fault = error(world)
            await asyncio.sleep(world.rng.uniform(0.2, 1.0) * 6 * 3600)
            world.backend_fault = None

    return Script(6 * 3600, play)


async def hung_backend(stage: Stage) -> None:
    """F-49: calls to the backend never come back."""
    world = stage.world
    with disturbing(world, "F-49"):
        world.backend_seconds = 1e9
        await asyncio.sleep(world.rng.uniform(0.2, 1.0) * 3 * 3600)
        world.backend_seconds = 0.01


async def clock_steps(stage: Stage) -> None:
    """F-42: the wall clock jumps by an hour, by ten years, and back."""
    world = stage.world
    for _ in range(6):
        seconds = world.rng.choice([3600.0, 3.15e8, 1.0]) * world.rng.choice([1, -1])
        world.time.step_wall(seconds)
        stage.look()
        await asyncio.sleep(world.rng.uniform(1, 3600))
        world.time.step_wall(-seconds)
        stage.look()
        await asyncio.sleep(world.rng.uniform(1, 3600))


async def suspend(stage: Stage) -> None:
    """F-43: the machine sleeps for up to thirteen hours; nobody reads meanwhile."""
    world = stage.world
    with disturbing(world, "F-43"):
        world.time.suspend(world.rng.uniform(60, 13 * 3600))
        stage.look()
        await asyncio.sleep(60)


async def frozen(stage: Stage) -> None:
    """F-44, F-46: the process does not run for seconds to an hour, several times."""
    world = stage.world
    for _ in range(5):
        with disturbing(world, "F-44"):
            world.time.freeze(world.rng.choice([0.5, 10.0, 600.0, 3600.0]))
            await asyncio.sleep(60)
        await asyncio.sleep(world.rng.uniform(1, 3600))


async def restarts(stage: Stage) -> None:
    """F-50: the process is stopped or killed and started again, with every upstream away half of the times."""
    world = stage.world
    for _ in range(3):
        with disturbing(world, "F-50"):
            away = world.rng.random() < 0.5
            if away:
                world.black_hole, world.backend_seconds = True, 1e9
            await stage.restart(kill=world.rng.random() < 0.5, down_seconds=world.rng.uniform(0, 30))
            await asyncio.sleep(world.rng.uniform(5, 600))
            stage.look()
            if away:
                world.black_hole, world.backend_seconds = False, 0.01
            await asyncio.sleep(60)
        await asyncio.sleep(world.rng.uniform(1, 3600))


async def repeats(stage: Stage) -> None:
    """F-60: a server that hands out the same token until five seconds before its end."""
    world = stage.world
    with disturbing(world, "F-60"):
        world.repeats_tokens = True
        await asyncio.sleep(1.2 * LIFETIME)
        world.repeats_tokens = False


SCRIPTS: Final[dict[str, Script]] = {
    "F-01": answering("F-01", refused, seconds=0.38 * LIFETIME),
    "F-02": Script(0.38 * LIFETIME, black_hole),
    "F-03": Script(0.5 * LIFETIME, slow),
    "F-04": answering("F-04", lambda world: answer(503, {"error": "x"}), seconds=0.38 * LIFETIME),  # noqa: ARG005 - the same for all
    "F-05": answering("F-05", throttled, seconds=0.3 * LIFETIME),
    "F-06": answering("F-06", garbled, seconds=0.38 * LIFETIME),
    "F-11": Script(2 * LIFETIME + 400, shorter),
    "F-12": Script(86_400, other_issuer),
    "F-15": Script(0.6 * LIFETIME, lost_answers),
    "F-16": rotation("F-16", server_first=True),
    "F-17": rotation("F-17", server_first=False),
    "F-18": Script(6 * 3600 + 60, wrong_secret),
    "F-19": Script(7200, suspended),
    "F-20": Script(3000, screams),
    "F-21": Script(3 * 3600, stale),
    "F-22": backend("F-22", lambda world: SecretBackendUnavailable("sealed")),  # noqa: ARG005 - one message
    "F-26": backend(
        "F-26",
        lambda world: world.rng.choice([SecretNotFound("deleted"), SecretAccessDenied("forbidden")]),
    ),
    "F-42": Script(12 * 3600, clock_steps),
    "F-43": Script(13 * 3600 + 60, suspend),
    "F-44": Script(5 * 7300, frozen),
    "F-49": Script(3 * 3600, hung_backend),
    "F-50": Script(3 * 4300, restarts),
    "F-51": Script(3 * 3700, spoilt_cache),
    "F-60": Script(1.2 * LIFETIME, repeats),
}
