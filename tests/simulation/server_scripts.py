"""Scenarios in which an authorization server misbehaves: F-01 to F-12, F-15, F-60, and a server whose Date is off.

Owns: what it does for how long. Refuses to know: what must hold meanwhile.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Final

from broker.errors import ProtocolError, TransportError
from broker.model import HttpResponse
from tests.simulation.authorization_server import (
    MARKER,
    Exchange,
    Fault,
    Reply,
    SimulatedServer,
    http_date,
    json_response,
)
from tests.simulation.stage import Script, Stage, faulty

LIFETIME: Final = 43_200.0
OUTAGE_SECONDS: Final = 0.38 * LIFETIME
RETRY_AFTER: Final = (
    ("60", 60.0),
    ("7", 7.0),
    ("0", 1.0),
    ("-1", 1.0),
    ("1000000000", 900.0),
    ("soon", 1.0),
    ("Sun, 06 Nov 1994 08:49:37 GMT", 1.0),
)
"""What a server may say, and the seconds that it has to be left alone for."""
ATTACKER: Final = "https://attacker.simulated/token"


def outage(what: str, nature: str, fault: Callable[[Stage, random.Random], Fault], seconds: float) -> Script:
    """One server, or all of them, have this fault for a random part of that time."""

    async def play(stage: Stage, rng: random.Random) -> None:
        servers = stage.world.servers if rng.random() < 0.3 else [rng.choice(stage.world.servers)]
        behaviour = fault(stage, rng)
        names = [name for server in servers for name in stage.world.of_server(server)]
        with stage.world.fault(what, nature, names):
            for server in servers:
                server.faults.append(behaviour)
            try:
                await asyncio.sleep(rng.uniform(0.05, 1.0) * seconds)
            finally:
                for server in servers:
                    server.faults.remove(behaviour)

    return Script(seconds, play)


def refused(stage: Stage, rng: random.Random) -> Fault:
    """F-01: nobody listens."""

    async def fault(exchange: Exchange) -> Reply | None:
        raise TransportError(f"{exchange.server.host}: connection refused", code="connection")

    return fault


def black_hole(stage: Stage, rng: random.Random) -> Fault:
    """F-02: packets go nowhere."""

    async def fault(exchange: Exchange) -> Reply | None:
        await asyncio.sleep(1e9)
        return None

    return fault


def drip(stage: Stage, rng: random.Random) -> Fault:
    """F-03: one byte a second; a short answer may get through, a long one never."""
    bytes_left = rng.choice([8, 25, 28, 400])

    async def fault(exchange: Exchange) -> Reply | None:
        await asyncio.sleep(bytes_left)
        return None

    return fault


def overloaded(stage: Stage, rng: random.Random) -> Fault:
    """F-04: 503 for everybody."""

    async def fault(exchange: Exchange) -> Reply | None:
        return Reply(json_response(503, {"error": "temporarily_unavailable"}))

    return fault


def throttled(stage: Stage, rng: random.Random) -> Fault:
    """F-05: 429, or 503, with every Retry-After there is."""
    world = stage.world

    async def fault(exchange: Exchange) -> Reply | None:
        if exchange.kind == "metadata":
            return None
        soon = http_date(world.time.now().wall + 40)
        value, seconds = rng.choice([*RETRY_AFTER, (soon, 38.0)])
        response = json_response(rng.choice([429, 429, 503]), {"error": "slow_down"}, retry_after=value)
        return Reply(response, "throttled", {"retry_after": seconds})

    return fault


def garbled(stage: Stage, rng: random.Random) -> Fault:
    """F-06: HTML, errors in 200, nothing at all, too much."""
    html = {"content-type": "text/html"}

    async def fault(exchange: Exchange) -> Reply | None:
        if rng.random() < 0.1:
            raise ProtocolError(
                f"{exchange.server.host}: the answer is larger than 1048576 bytes", code="too_large"
            )
        return Reply(
            rng.choice(
                [
                    HttpResponse(status=500, headers=html, body=f"<html>{MARKER}500".encode()),
                    HttpResponse(status=200, headers=html, body=f"<html>{MARKER}portal".encode()),
                    json_response(200, {"error": "server_error", "error_description": f"{MARKER}told"}),
                    HttpResponse(status=200),
                    HttpResponse(
                        status=200, headers={"content-type": "application/json"}, body=b"[" * 50_000
                    ),
                    HttpResponse(status=404, body=b"gone"),
                ]
            )
        )

    return fault


def redirecting(stage: Stage, rng: random.Random) -> Fault:
    """F-08: every redirect there is, to somebody else."""

    async def fault(exchange: Exchange) -> Reply | None:
        status = rng.choice([301, 302, 303, 307, 308])
        return Reply(HttpResponse(status=status, headers={"location": ATTACKER}))

    return fault


def malformed_token(stage: Stage, rng: random.Random) -> Fault:
    """F-09: things that must never reach a header, a file or the socket."""

    async def fault(exchange: Exchange) -> Reply | None:
        if exchange.client is None:
            return None
        value = rng.choice(
            ["", f"{MARKER}a\r\nX: y", f"{MARKER}\0", f"{MARKER}\ud800", f"{MARKER}é", MARKER + "x" * 20_000]
        )
        body = {"access_token": value, "expires_in": 3600, "token_type": "Bearer"}
        return exchange.server.forged(exchange.client, value, json_response(200, body))

    return fault


def odd_lifetime(stage: Stage, rng: random.Random) -> Fault:
    """F-10: every expires_in there is; digits in a string are a number (R-039), one second is a lifetime (R-042)."""
    forms = ["", '"3600"', "3600.0", "1e400", "NaN", "-5", "true", '"1_000"', '"\u0663"', "0", "null"]

    async def fault(exchange: Exchange) -> Reply | None:
        client = exchange.client
        if client is None:
            return None
        form = rng.choice(forms)
        number = client.minted + 1
        token = f"{MARKER}{client.name}-token-{number}"
        member = f', "expires_in": {form}' if form else ""
        body = f'{{"access_token": "{token}", "token_type": "Bearer"{member}}}'
        response = HttpResponse(status=200, headers={"content-type": "application/json"}, body=body.encode())
        client.minted += 1
        if form in ('"3600"', "3600.0"):
            return Reply(response, "token", {"value": token, "expires_in": 3600})
        return exchange.server.forged(client, token, response)

    return fault


def lost_answer(stage: Stage, rng: random.Random) -> Fault:
    """F-15: the mint happened, and the connection broke before its answer came; every other time."""

    async def fault(exchange: Exchange) -> Reply | None:
        if exchange.kind == "metadata" or rng.random() < 0.5:
            return None
        exchange.answer()
        raise TransportError(f"{exchange.server.host}: connection reset by peer", code="connection")

    return fault


def poisoned_metadata(server: SimulatedServer, rng: random.Random) -> None:
    """F-12: another issuer, or a token endpoint at somebody else's."""
    if rng.random() < 0.5:
        server.metadata_issuer = "https://attacker.simulated"
    else:
        server.metadata_endpoint = ATTACKER


async def metadata_moves(stage: Stage, rng: random.Random) -> None:
    """F-12: the last good metadata goes on being used, so nothing is excused but in a process that has none."""
    server = rng.choice(stage.world.servers)
    good = server.metadata_issuer, server.metadata_endpoint
    with stage.world.fault("F-12", "metadata", stage.world.of_server(server)):
        poisoned_metadata(server, rng)
        await asyncio.sleep(rng.uniform(0.1, 1.0) * 86_400)
        server.metadata_issuer, server.metadata_endpoint = good


async def shorter_lives(stage: Stage, rng: random.Random) -> None:
    """F-11: a server's lifetimes are shortened for a day, and put back."""
    server = rng.choice(stage.world.servers)
    with stage.world.fault("F-11", "lifetimes", stage.world.of_server(server)):
        lifetimes = [(client, client.lifetime) for client in server.clients.values()]
        for client, _ in lifetimes:
            client.lifetime = rng.choice([300, 120])
        await asyncio.sleep(rng.uniform(0.1, 1.0) * 86_400)
        for client, lifetime in lifetimes:
            client.lifetime = lifetime


async def one_second_lives(stage: Stage, rng: random.Random) -> None:
    """F-10: an hour of tokens that live one second."""
    client = stage.world.client(rng.choice(stage.world.names))
    with stage.world.fault("F-10", "caching", (client.name,)):
        lifetime, client.lifetime = client.lifetime, 1
        # Another secret version makes the short token count, although the one there is lives longer.
        stage.world.store_secret(client.name, client.secret)
        if stage.readers.process is not None:
            stage.process.renew(client.name)
        await asyncio.sleep(3600)
        client.lifetime = lifetime


async def same_token_again(stage: Stage, rng: random.Random) -> None:
    """F-60: a server that hands out the same token until five seconds before its end."""
    server = rng.choice(stage.world.servers)

    async def fault(exchange: Exchange) -> Reply | None:
        client = exchange.client
        if client is None or client.handed_out is None:
            return None
        token, ends = client.handed_out
        left = int(ends - stage.world.time.boot())
        return exchange.server.token(client, value=token, expires_in=left) if left > 5 else None

    with stage.world.fault("F-60", "caching", stage.world.of_server(server)), faulty(server, fault):
        await asyncio.sleep(rng.uniform(0.1, 1.2) * LIFETIME)


async def wrong_date(stage: Stage, rng: random.Random) -> None:
    """R-069: a server whose Date is off by an hour, or by years, changes nothing."""
    server = rng.choice(stage.world.servers)
    server.date_offset_seconds = rng.choice([3600.0, -3600.0, 3e8, -3e8])
    await asyncio.sleep(rng.uniform(0.1, 1.0) * LIFETIME)
    server.date_offset_seconds = None


SCRIPTS: Final[dict[str, Script]] = {
    "F-01": outage("F-01", "network", refused, OUTAGE_SECONDS),
    "F-02": outage("F-02", "network", black_hole, OUTAGE_SECONDS),
    "F-03": outage("F-03", "network", drip, OUTAGE_SECONDS),
    "F-04": outage("F-04", "network", overloaded, OUTAGE_SECONDS),
    "F-05": outage("F-05", "pause", throttled, 0.3 * LIFETIME),
    "F-06": outage("F-06", "network", garbled, OUTAGE_SECONDS),
    "F-08": outage("F-08", "network", redirecting, OUTAGE_SECONDS),
    "F-09": outage("F-09", "network", malformed_token, OUTAGE_SECONDS),
    "F-10": outage("F-10", "network", odd_lifetime, OUTAGE_SECONDS),
    "F-10b": Script(3600, one_second_lives),
    "F-11": Script(86_400, shorter_lives),
    "F-12": Script(86_400, metadata_moves),
    "F-15": outage("F-15", "network", lost_answer, OUTAGE_SECONDS),
    "F-60": Script(1.2 * LIFETIME, same_token_again),
    "R-069": Script(LIFETIME, wrong_date),
}
