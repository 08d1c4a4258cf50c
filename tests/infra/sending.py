"""One request through `HttpxTransport`, and the error it ends with."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Literal, TypeVar

import pytest

from broker.errors import BrokerError
from broker.infra.http import HttpxTransport
from broker.model import HttpRequest, HttpResponse

ErrorT = TypeVar("ErrorT", bound=BrokerError)

MIB = 1024 * 1024


async def exchange(
    transport: HttpxTransport,
    url: str,
    *,
    method: Literal["GET", "POST"] = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    total_seconds: float = 5.0,
    max_body_bytes: int = MIB,
) -> HttpResponse:
    """Send, with defaults that suit most tests."""
    request = HttpRequest(method=method, url=url, headers=headers or {}, body=body)
    return await transport.send(request, total_seconds=total_seconds, max_body_bytes=max_body_bytes)


def send_once(
    url: str,
    *,
    ca_file: str | None = None,
    method: Literal["GET", "POST"] = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    total_seconds: float = 5.0,
    max_body_bytes: int = MIB,
) -> HttpResponse:
    """Do it on an event loop and a transport of its own."""

    async def main() -> HttpResponse:
        transport = HttpxTransport(ca_file=ca_file, user_agent="token-broker/test")
        try:
            return await exchange(
                transport,
                url,
                method=method,
                headers=headers,
                body=body,
                total_seconds=total_seconds,
                max_body_bytes=max_body_bytes,
            )
        finally:
            await transport.close()

    return asyncio.run(main())


def failure(
    kind: type[ErrorT],
    url: str,
    *,
    ca_file: str | None = None,
    total_seconds: float = 5.0,
    max_body_bytes: int = MIB,
    body: bytes = b"",
) -> ErrorT:
    """The error of one exchange that has to fail; nothing may hang on it that the message leaves out."""
    with pytest.raises(kind) as caught:
        send_once(
            url,
            ca_file=ca_file,
            method="POST" if body else "GET",
            body=body,
            total_seconds=total_seconds,
            max_body_bytes=max_body_bytes,
        )
    assert (None, None) == (caught.value.__cause__, caught.value.__context__)
    return caught.value
