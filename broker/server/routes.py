"""The socket API: from a request and a peer to an answer (docs/interface.md 4).

Owns: routes, query parameters, rights before everything else, waiting within bounds. Refuses to know:
connections, bytes on the wire, how a token is minted.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Final
from urllib.parse import parse_qs

from broker.events import SocketDenied
from broker.model import TokenRecord
from broker.policy.readiness import unusable_code
from broker.ports import Clock, TokenReader
from broker.server import problems, reports, watch
from broker.server.answers import Want, json_response, record_members, records, token
from broker.server.durations import seconds
from broker.server.http import Request, Response
from broker.server.peer import AccessRule, Peer, may_read
from broker.server.quick import QuickAnswers
from broker.server.traffic import Traffic

LONGEST_WAIT_SECONDS: Final = 30.0
MOST_WAITERS: Final = 100  # of one token; more are answered at once

_COLLECTIONS: Final = {
    "/v1/tokens": "list",
    "/v1/status": "status",
    "/v1/watch": "watch",
    "/v1/openapi.json": "openapi",
}
_TOKEN = re.compile(r"/v1/tokens/([^/]+)(?:/(renew|reject))?", re.ASCII)
_MAX_PARAMETERS = 16


class InvalidQuery(ValueError):
    """A query parameter that we know has a value that we do not understand."""


class Routes:
    """Answers requests of one Unix socket. `rules` may be replaced while serving."""

    def __init__(
        self,
        *,
        reader: TokenReader,
        rules: Mapping[str, AccessRule],
        clock: Clock,
        boot: Callable[[], float],
        traffic: Traffic,
        own_uid: int,
    ) -> None:
        self.rules = rules
        self.quick = QuickAnswers(reader, clock, boot)
        self.watchers = watch.Watchers(reader)
        self._reader = reader
        self._clock = clock
        self._traffic = traffic
        self._own_uid = own_uid
        self._waiters: Counter[str] = Counter()
        self._waits: set[asyncio.Timeout] = set()
        self._hurried = False

    def allows(self, peer: Peer, name: str) -> bool:
        """Whether this peer may read this token; an unknown name is never allowed."""
        rule = self.rules.get(name)
        return rule is not None and may_read(peer, rule, own_uid=self._own_uid)

    def _denial(self, peer: Peer, name: str) -> SocketDenied:
        rule = self.rules.get(name)
        return SocketDenied(
            token=None if rule is None else name,
            uid=peer.uid,
            pid=peer.pid,
            unit=peer.unit() if rule is not None and rule.units and peer.known else None,
        )

    def respond(self, request: Request, peer: Peer) -> Response | Awaitable[Response]:
        """The answer, or the promise of one where the caller agreed to wait. Raises nothing."""
        refusal = self.refusal(request, peer)
        if refusal is not None:
            return refusal
        collection = _COLLECTIONS.get(request.path)
        if collection is not None:
            return self._collection(collection, peer)
        name, route = _named(request.path)
        try:
            if route == "reject":
                return self._reject(name, reports.parse(request.body))
            want = _want(request)
            return self._renew(name, want.wait) if route == "renew" else self._get(name, want, request)
        except (InvalidQuery, reports.InvalidReport) as error:
            return problems.invalid_request(str(error), route=route)
        except KeyError:
            return problems.denied(name, uid=peer.uid, route=route)  # left the configuration this instant

    def refusal(self, request: Request, peer: Peer) -> Response | None:
        """What the head alone has against it: no such route, another method, no right to the token."""
        route = _COLLECTIONS.get(request.path)
        if route is not None:
            return None if request.method == "GET" else problems.method_not_allowed("GET", route=route)
        name, route = _named(request.path)
        if not name:
            return problems.not_found()
        method = "GET" if route == "get" else "POST"
        if request.method != method:
            return problems.method_not_allowed(method, route=route)
        if not self.allows(peer, name):
            self._traffic.denied(self._denial(peer, name))
            return problems.denied(name, uid=peer.uid, route=route)
        return None

    def _collection(self, route: str, peer: Peer) -> Response:
        if route == "watch":
            stream = self.watchers.watch(partial(self.allows, peer))
            return Response(status=200, body=b"", content_type=watch.CONTENT_TYPE, route=route, stream=stream)
        if route == "openapi":
            from broker.server import openapi  # a few people want it, once

            return Response(status=200, body=openapi.document(), content_type="application/json", route=route)
        return records(self._reader, self._readable(peer), route=route)

    def hurry(self) -> None:
        """Have all waits end now, as if their time was over, and all that follow: the server stops."""
        self._hurried = True
        for wait in self._waits:
            wait.reschedule(0.0)

    async def usable(self, name: str, want: Want) -> None:
        """Wait until the token can be had or the time is over; KeyError if it leaves the configuration."""
        patient = self._waiters[name] < MOST_WAITERS
        async with self._waiting(name):
            await self._reader.wait_usable(
                name,
                min_valid_seconds=want.min_valid,
                timeout_seconds=min(want.wait, LONGEST_WAIT_SECONDS) if patient else 0.0,
            )

    def _readable(self, peer: Peer) -> list[str]:
        return [name for name in self._reader.names() if self.allows(peer, name)]

    def _get(self, name: str, want: Want, request: Request) -> Response | Awaitable[Response]:
        response = self._token(name, want)
        if response is not None:
            self.quick.learn(request, name, want)
            return response
        if want.wait > 0 or want.min_valid > 0:
            return self._get_later(name, want)
        return self._cannot_serve(name, want)

    async def _get_later(self, name: str, want: Want) -> Response:
        try:
            await self.usable(name, want)
            return self._token(name, want) or self._cannot_serve(name, want)
        except KeyError:
            return problems.not_found()

    def _cannot_serve(self, name: str, want: Want) -> Response:
        record = self._reader.record(name)
        revision = self._reader.revision(name)
        if revision is not None and self._token(name, replace(want, min_valid=0.0)) is not None:
            left = math.floor(revision.token.remaining_seconds(self._clock.now()))
            return problems.lives_too_short(record, left, want.min_valid)
        return problems.unusable(record, unusable_code(record), route="get")

    def _token(self, name: str, want: Want) -> Response | None:
        return token(self._reader, name, want, self._clock.now())

    def _renew(self, name: str, wait: float) -> Response | Awaitable[Response]:
        before = self._reader.record(name)
        outcome = self._reader.renew(name)
        if outcome == "rate_limited":
            return problems.rate_limited(before, route="renew")
        if wait > 0 and self._waiters[name] < MOST_WAITERS:
            return self._renew_and_wait(name, wait, outcome, before.revision)
        return _accepted(self._reader.record(name), outcome, route="renew")

    async def _renew_and_wait(self, name: str, wait: float, outcome: str, revision: int) -> Response:
        done = False
        try:
            async with self._waiting(name):
                done = await self._reader.wait_revision(
                    name, after=revision, timeout_seconds=min(wait, LONGEST_WAIT_SECONDS)
                )
            record = self._reader.record(name)
        except KeyError:
            return problems.not_found()
        return (
            json_response(record_members(record), route="renew")
            if done
            else _accepted(record, outcome, route="renew")
        )

    def _reject(self, name: str, report: reports.Report) -> Response:
        outcome = self._reader.reject(name, fingerprint=report.fingerprint, requested_at=report.requested_at)
        record = self._reader.record(name)
        if outcome == "rate_limited":
            return problems.reported_too_often(record, route="reject")
        if outcome == "started":
            return _accepted(record, outcome, route="reject")
        return json_response({"outcome": outcome}, route="reject")

    @asynccontextmanager
    async def _waiting(self, name: str) -> AsyncIterator[None]:
        self._waiters[name] += 1
        wait = asyncio.timeout(0.0 if self._hurried else None)
        self._waits.add(wait)
        try:
            with suppress(TimeoutError):
                async with wait:
                    yield
        finally:
            self._waits.discard(wait)
            self._waiters[name] -= 1


def _accepted(record: TokenRecord, outcome: str, *, route: str) -> Response:
    """202: the mint was started, or is kept until a pause or back-off ends."""
    return json_response({"outcome": outcome, **record_members(record)}, route=route, status=202)


def _named(path: str) -> tuple[str, str]:
    """The token's name and the route, of a path about one token; an empty name for any other path."""
    match = _TOKEN.fullmatch(path)
    return (match[1], match[2] or "get") if match else ("", "other")


def _want(request: Request) -> Want:
    min_valid, wait = _durations(request.query, "min_valid", "wait")
    return Want(min_valid, wait, text=_prefers_text(request.accept))


def _durations(query: str, *names: str) -> tuple[float, ...]:
    if not query:
        return (0.0,) * len(names)
    try:
        given = parse_qs(query, keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
    except ValueError:
        raise InvalidQuery("the query has too many parameters") from None
    found = []
    for name in names:
        values = given.get(name, ["0"])
        try:
            (value,) = map(seconds, values)
        except ValueError:
            raise InvalidQuery(f"the parameter {name} must be one duration such as 60s, 500ms or 5") from None
        found.append(value)
    return tuple(found)


def _prefers_text(accept: str) -> bool:
    """Whether text/plain is named and weighs no less than JSON (RFC 9110 12.5.1); wildcards mean JSON."""
    if "text/plain" not in accept.lower():
        return False
    weights = {"text/plain": 0.0, "application/json": 0.0}
    for part in accept.split(","):
        media_type, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        if media_type in weights:
            try:
                weights[media_type] = float(weight)
            except ValueError:
                weights[media_type] = 0.0
    return 0.0 < weights["text/plain"] >= weights["application/json"]
