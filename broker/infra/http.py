"""One HTTP exchange with an authorization server, over httpx2.

Owns: connections, TLS, the total deadline, the cap on the size, and the turning of library errors into
ours. Refuses to know: OAuth, redirects, retries, cookies, proxies, and the environment:
`AsyncHTTPTransport` is used without a client, which is where httpx2 keeps all of those.

httpx2 is imported at the first request: 60 ms that neither `check` nor a start that waits for a secret
should pay.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from broker.errors import BrokerError, ProtocolError, TransportError
from broker.infra.clock import SystemClock
from broker.infra.http_errors import transport_error
from broker.model import HttpRequest, HttpResponse

if TYPE_CHECKING:
    import httpcore2
    import httpx2

IDLE_SECONDS: Final = 60.0
LONGEST_USE_SECONDS: Final = 300.0
"""Connections older than this are not reused, so that a change of address in DNS is followed (R-031)."""

MOST_IDLE_CONNECTIONS: Final = 4
"""Those in use are limited by `max_concurrent_mints` and not here."""


class HttpxTransport:
    """Implements `ports.HttpTransport`; one per authorization server, used on one event loop."""

    def __init__(
        self,
        *,
        ca_file: str | None,
        user_agent: str,
        idle_seconds: float = IDLE_SECONDS,
        longest_use_seconds: float = LONGEST_USE_SECONDS,
        boot_clock: Callable[[], float] = SystemClock.boot,
    ) -> None:
        self._ca_file = ca_file
        self._user_agent = user_agent
        self._idle_seconds = idle_seconds
        self._longest_use_seconds = longest_use_seconds
        self._boot_clock = boot_clock
        self._pool: _Pool | None = None

    async def send(self, request: HttpRequest, *, total_seconds: float, max_body_bytes: int) -> HttpResponse:
        peer = _peer(request.url)
        failure: BrokerError
        try:
            async with asyncio.timeout(total_seconds):
                return await self._exchange(request, peer, max_body_bytes)
        except TimeoutError:
            failure = TransportError(f"{peer}: no answer within {total_seconds:g} s", code="timeout")
        except BrokerError:
            raise
        except Exception as error:  # noqa: BLE001 - the library's errors hold bytes of the exchange; none may pass
            failure = transport_error(error, peer=peer)
        # Raised outside of the except clause, so that no traceback and no logger reaches the library's error.
        raise failure

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.transport.aclose()

    async def _exchange(self, request: HttpRequest, peer: str, max_body_bytes: int) -> HttpResponse:
        import httpx2

        pool = await self._current_pool()
        headers = {"User-Agent": self._user_agent, **request.headers, "Accept-Encoding": "identity"}
        connecting = _Connecting()
        pool.in_use += 1
        try:
            response = await pool.transport.handle_async_request(
                httpx2.Request(
                    request.method,
                    request.url,
                    headers=headers,
                    content=request.body or None,
                    extensions={"trace": connecting.trace},
                )
            )
            try:
                body = await _read(response, peer, max_body_bytes)
            finally:
                await response.aclose()
        except BaseException:
            await connecting.abandon()
            raise
        finally:
            pool.in_use -= 1
            await self._close_retired(pool)
        return HttpResponse(
            status=response.status_code,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=body,
        )

    async def _current_pool(self) -> _Pool:
        """The pool in use, or a successor if it or its certificates are old: then it ends when idle."""
        now = self._boot_clock()
        stamp = _stamp(self._ca_file)
        pool = self._pool
        if pool is not None and pool.stamp == stamp and now - pool.opened_at < self._longest_use_seconds:
            return pool
        successor = _Pool(transport=_open(self._ca_file, self._idle_seconds), opened_at=now, stamp=stamp)
        self._pool = successor
        if pool is not None:
            await self._close_retired(pool)
        return successor

    async def _close_retired(self, pool: _Pool) -> None:
        if pool is not self._pool and pool.in_use == 0:
            await pool.transport.aclose()


class _Connecting:
    """Closes the connection of an exchange that failed or was cancelled.

    httpx2 loses one that is cancelled during its TLS handshake, and the event loop keeps its socket for ever.
    """

    def __init__(self) -> None:
        self._stream: httpcore2.AsyncNetworkStream | None = None

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Called by httpx2 at every step of the exchange."""
        if event == "connection.connect_tcp.complete":
            self._stream = info["return_value"]

    async def abandon(self) -> None:
        """Closing twice does no harm."""
        if self._stream is not None:
            await self._stream.aclose()


@dataclass(slots=True, kw_only=True, eq=False)
class _Pool:
    transport: httpx2.AsyncHTTPTransport
    opened_at: float
    stamp: tuple[int, ...] | None
    in_use: int = 0


def _open(ca_file: str | None, idle_seconds: float) -> httpx2.AsyncHTTPTransport:
    import httpx2

    return httpx2.AsyncHTTPTransport(
        verify=_tls_context(ca_file),
        trust_env=False,
        http2=False,
        limits=httpx2.Limits(
            max_connections=None,
            max_keepalive_connections=MOST_IDLE_CONNECTIONS,
            keepalive_expiry=idle_seconds,
        ),
    )


def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Built by hand: ssl.create_default_context() heeds SSL_CERT_FILE, SSL_CERT_DIR and SSLKEYLOGFILE."""
    if ca_file is None:
        import httpx2

        context = httpx2.create_ssl_context(trust_env=False)
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        fault = _load(context, ca_file)
        if fault is not None:
            raise TransportError(f"ca_file {ca_file}: {fault}", code="ca_file")
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _load(context: ssl.SSLContext, ca_file: str) -> str | None:
    try:
        context.load_verify_locations(cafile=ca_file)
    except ssl.SSLError:
        return "holds no certificate in PEM"
    except OSError as error:
        return error.strerror
    return None


def _stamp(path: str | None) -> tuple[int, ...] | None:
    if path is None:
        return None
    try:
        status = Path(path).stat()
    except OSError:
        return ()
    return status.st_ino, status.st_mtime_ns, status.st_size


async def _read(response: httpx2.Response, peer: str, max_body_bytes: int) -> bytes:
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding not in {"", "identity"}:
        raise ProtocolError(
            f"{peer}: the answer is content-encoded, although identity was asked for", code="content_encoding"
        )
    announced = response.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_body_bytes:
        raise _too_large(peer, max_body_bytes)
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > max_body_bytes:
            raise _too_large(peer, max_body_bytes)
    return bytes(body)


def _too_large(peer: str, max_body_bytes: int) -> ProtocolError:
    return ProtocolError(f"{peer}: the answer is larger than {max_body_bytes} bytes", code="too_large")


def _peer(url: str) -> str:
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
