"""One request with each of the HTTP libraries that there are adapters for.

Owns: how each library is used, and which are installed. Refuses to know: what the answers should be.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest
import requests

from broker.client import HttpxAuth, RequestsAuth, TokenClient, aio

Post = Callable[[str, TokenClient, Any], int]
"""POST a body (bytes, an iterable or None) to a URL with a token of this client: the status."""

_PATIENCE_SECONDS = 0.2


def with_requests(url: str, client: TokenClient, body: Any) -> int:
    """By a session of requests."""
    with requests.Session() as session:
        session.auth = RequestsAuth("deploy", client, patience=_PATIENCE_SECONDS)
        return session.post(url, data=body, timeout=5).status_code


def with_httpx(library: str) -> Post:
    """By a client of httpx2 or httpx."""

    def post(url: str, client: TokenClient, body: Any) -> int:
        httpx = import_module(library)
        auth = HttpxAuth("deploy", client, patience=_PATIENCE_SECONDS)
        with httpx.Client(auth=auth, follow_redirects=True) as session:
            return int(session.post(url, content=body).status_code)

    return post


def with_asynchronous_httpx(library: str) -> Post:
    """By an asynchronous client of httpx2 or httpx."""

    async def post(url: str, client: TokenClient, body: Any) -> int:
        httpx = import_module(library)
        auth = HttpxAuth("deploy", aio.TokenClient(client.socket_path), patience=_PATIENCE_SECONDS)
        content = body if body is None or isinstance(body, bytes) else _parts(body)
        async with httpx.AsyncClient(auth=auth, follow_redirects=True) as session:
            return int((await session.post(url, content=content)).status_code)

    return lambda url, client, body: asyncio.run(post(url, client, body))


async def _parts(body: Iterable[bytes]) -> AsyncIterator[bytes]:
    for part in body:
        yield part


def _marks(library: str) -> list[pytest.MarkDecorator]:
    missing = pytest.mark.skip(reason=f"{library} is not installed; pip install {library}")
    return [] if find_spec(library) else [missing]


_LIBRARIES = ("httpx2", "httpx")

HTTPX = [pytest.param(library, marks=_marks(library), id=library) for library in _LIBRARIES]

each_library = pytest.mark.parametrize(
    "post",
    [
        pytest.param(with_requests, id="requests"),
        *(pytest.param(with_httpx(name), marks=_marks(name), id=name) for name in _LIBRARIES),
        *(
            pytest.param(with_asynchronous_httpx(name), marks=_marks(name), id=f"async-{name}")
            for name in _LIBRARIES
        ),
    ],
)
