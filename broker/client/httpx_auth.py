"""`HttpxAuth`: `httpx2.Client(auth=HttpxAuth("deploy"))`, likewise httpx, likewise their asynchronous clients.

Owns: the header, and on a 401 one report and one more try. Refuses to know: how tokens are read. Loaded at its
first use: both libraries accept only what descends from their own class, so those installed are imported here.
"""

from __future__ import annotations

from importlib import import_module

from broker.client import aio
from broker.client.bearer import Bearer, Sent
from broker.client.errors import TokenClientError
from broker.client.token_client import TokenClient

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from typing import Any

_LIBRARIES = ("httpx2", "httpx")


def _bases() -> tuple[type, ...]:
    bases: list[type] = []
    for library in _LIBRARIES:
        try:
            bases.append(import_module(library).Auth)
        except ModuleNotFoundError as error:
            if error.name != library:
                raise
    if not bases:
        raise ImportError(f"HttpxAuth needs one of {', '.join(_LIBRARIES)}")
    return tuple(bases)


_Base: Any = type("_Base", _bases(), {})


class HttpxAuth(_Base):  # type: ignore[misc]  # which classes these are depends on what is installed
    """Puts the current token into each request; `auth=` of a request or of a client, for any number of tasks."""

    def __init__(
        self,
        name: str,
        client: TokenClient | aio.TokenClient | None = None,
        *,
        min_valid: float = 0.0,
        wait: float = 0.0,
        patience: float = 5.0,
    ) -> None:
        """`min_valid` and `wait` as of `TokenClient.get`; `patience` is the time for a successor after a 401.

        A client of either kind will do: where the other kind is needed, one is made for the same socket.
        """
        socket = client.socket_path if client is not None else None
        own = client if isinstance(client, TokenClient) else TokenClient(socket)
        self._bearer = Bearer(name, own, min_valid=min_valid, wait=wait, patience=patience)
        self._client = client if isinstance(client, aio.TokenClient) else aio.TokenClient(socket)

    def sync_auth_flow(self, request: Any) -> Generator[Any, Any, None]:
        """Called by a synchronous client. Raises TokenClientError."""
        sent = self._bearer.send()
        request.headers["Authorization"] = sent.token.authorization
        response = yield request
        if not _refused(sent, response):
            return
        token = self._bearer.again(sent)
        if token is not None and _can_be_repeated(request):
            request.headers["Authorization"] = token.authorization
            yield request

    async def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:
        """Called by an asynchronous client. Raises TokenClientError."""
        bearer = self._bearer
        sent = Sent(await self._client.get(bearer.name, min_valid=bearer.min_valid, wait=bearer.wait))
        request.headers["Authorization"] = sent.token.authorization
        response = yield request
        if not _refused(sent, response):
            return
        try:
            token = await self._client.successor(sent.token, requested_at=sent.at, wait=bearer.patience)
        except TokenClientError:
            return
        if token is not None and _can_be_repeated(request):
            request.headers["Authorization"] = token.authorization
            yield request


def _refused(sent: Sent, response: Any) -> bool:
    return sent.refused(response.status_code, response.request.headers.get("Authorization"))


def _can_be_repeated(request: Any) -> bool:
    """Whether the body is in memory; a stream was sent and is spent."""
    try:
        request.content  # noqa: B018 - raises RequestNotRead for a stream
    except RuntimeError:
        return False
    return True
