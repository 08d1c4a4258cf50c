"""`TokenClient` for asyncio: the same methods, awaited.

Owns: what has to be awaited. Refuses to know: what does not differ from the synchronous twin: cache, patience,
messages and errors are the same objects.
"""

import asyncio
import contextlib
import socket
from typing import cast

from broker.client import message, rejection, routes
from broker.client.cache import Cache
from broker.client.errors import AccessDenied, BrokerUnreachable
from broker.client.fetch import ANSWER_SECONDS, PASSING, Patience, content
from broker.client.session import Session
from broker.client.token import Token, parse
from broker.client.token_client import RECHECK_ANSWER_SECONDS
from broker.client.wire import CONNECT_PAUSES_SECONDS, received, refused, socket_path, trouble

_RECEIVE_BYTES = 64 * 1024


class TokenClient:
    """Reads tokens over the broker's socket, from any task; may be used in one event loop after another."""

    def __init__(self, socket: str | None = None) -> None:
        """`socket` is the path; default: `$TOKEN_BROKER_SOCKET`, else /run/token-broker/token-broker.sock."""
        self.socket_path = socket_path(socket)
        self._session = _Session(self.socket_path)
        self._cache = Cache()

    async def get(self, name: str, *, min_valid: float = 0.0, wait: float = 0.0) -> Token:
        """As `broker.client.TokenClient.get`."""
        held = self._cache.held(name, min_valid_seconds=min_valid)
        if held is None:
            return await self._fetch(name, min_valid=min_valid, wait=wait)
        if not self._cache.is_due(name):
            return held
        self._cache.put_off(name)  # before asking: one of many tasks is enough
        try:
            return await self._ask(routes.token(name, min_valid_seconds=min_valid), RECHECK_ANSWER_SECONDS)
        except PASSING:
            return held
        except AccessDenied:
            self._cache.drop(name)
            raise

    async def reject(
        self, token: Token | str, *, fingerprint: str | None = None, requested_at: float | None = None
    ) -> str:
        """As `broker.client.TokenClient.reject`."""
        name = token if isinstance(token, str) else token.name
        if fingerprint is None:
            current = await self.get(name) if isinstance(token, str) else token
            fingerprint = current.fingerprint
        target = routes.rejection(name)
        self._cache.refuse(name, fingerprint)
        body = rejection.report(fingerprint, requested_at)
        return rejection.outcome(await self._session.ask("POST", target, ANSWER_SECONDS, body))

    async def successor(
        self, token: Token, *, requested_at: float | None = None, wait: float = 5.0
    ) -> Token | None:
        """As `broker.client.TokenClient.successor`."""
        pace = rejection.Pace(wait if self._cache.refuse(token.name, token.fingerprint) else 0.0)
        if await self.reject(token, requested_at=requested_at) == "too_old":
            return None
        while True:
            current = await self._fetch(token.name, min_valid=0.0, wait=0.0)
            if current.fingerprint != token.fingerprint:
                return current
            pause_seconds = pace.pause()
            if pause_seconds is None:
                return None
            await asyncio.sleep(pause_seconds)

    def close(self) -> None:
        """Close the connections that are kept; the client may still be used."""
        self._session.close()

    async def _fetch(self, name: str, *, min_valid: float, wait: float) -> Token:
        patience = Patience(name, min_valid_seconds=min_valid, wait_seconds=wait)
        while True:
            target, timeout_seconds = patience.next_request()
            try:
                return await self._ask(target, timeout_seconds)
            except PASSING as error:
                await asyncio.sleep(patience.pause_after(error))

    async def _ask(self, target: str, timeout_seconds: float) -> Token:
        token = parse(content(await self._session.ask("GET", target, timeout_seconds)))
        self._cache.hold(token)
        return token


class _Session(Session):
    """The same connections, used without blocking: sockets without transports, which belong to no event loop."""

    async def ask(
        self, method: str, target: str, timeout_seconds: float, body: bytes | None = None
    ) -> message.Answer:
        """As `Session.exchange`."""
        request = message.request(method, target, body=body, keep_alive=True)
        try:
            async with asyncio.timeout(timeout_seconds):
                while (kept := self.take()) is not None:
                    try:
                        return await self._ask(cast("socket.socket", kept), request)
                    except BrokerUnreachable:
                        continue
                return await self._ask(None, request)
        except TimeoutError as error:
            raise trouble(error, self.path) from None

    async def _ask(self, kept: socket.socket | None, request: bytes) -> message.Answer:
        connection = kept or socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(0)
        try:
            if kept is None:
                await self._connect(connection)
            answer = await self._talk(connection, request)
        except BaseException:
            # Also when the task is cancelled: half an answer would be read as the next one.
            connection.close()
            raise
        self.give_back(connection, answer)
        return answer

    async def _connect(self, connection: socket.socket) -> None:
        for pause_seconds in (*CONNECT_PAUSES_SECONDS, None):
            try:
                # Not the loop's sock_connect: it takes a full backlog (EAGAIN) for a connection under way, and at a
                # Unix socket there is none; connecting is done at once or not at all.
                connection.connect(self.path)
            except OSError as error:
                if pause_seconds is None or not isinstance(error, BlockingIOError | ConnectionRefusedError):
                    raise refused(self.path, error) from None
                await asyncio.sleep(pause_seconds)
            else:
                return

    async def _talk(self, connection: socket.socket, request: bytes) -> message.Answer:
        loop = asyncio.get_running_loop()
        reader = message.AnswerReader(self.path)
        try:
            with contextlib.suppress(
                BrokenPipeError
            ):  # who turns us away at the door answers before it reads
                await loop.sock_sendall(connection, request)
            while reader.answer is None:
                reader.feed(received(await loop.sock_recv(connection, _RECEIVE_BYTES), self.path))
        except OSError as error:
            raise trouble(error, self.path) from None
        return reader.answer
