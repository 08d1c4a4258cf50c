"""What went wrong on the way to a server, in words that are safe to show.

Owns: the reading of library and system exceptions. Refuses to know: the exchange. Texts of httpx2,
httpcore2 and h11 are never passed on, for they quote the bytes that were received; those of the TLS library
and the system are.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from typing import Final

from broker.errors import BrokerError, ProtocolError, TransportError

_MOST_LINKS: Final = 32
_CLOSED: Final = ("server disconnected", "peer closed connection", "connection closed")


def transport_error(error: Exception, *, peer: str) -> BrokerError:
    """TransportError, or ProtocolError where what came back is not HTTP."""
    links = list(_chain(error))
    for link in links:
        known = _system_reason(link)
        if known is not None:
            reason, code = known
            return TransportError(f"{peer}: {reason}", code=code)
    names = {type(link).__name__ for link in links}
    if "RemoteProtocolError" in names:
        if any(str(link).lower().startswith(_CLOSED) for link in links):
            return TransportError(
                f"{peer}: the connection was closed before the answer was whole", code="closed"
            )
        return ProtocolError(f"{peer}: the answer is not HTTP", code="not_http")
    if names & {"LocalProtocolError", "UnsupportedProtocol", "InvalidURL"}:
        return ProtocolError(f"{peer}: the request cannot be sent as it is", code="request")
    if names & {"ReadError", "WriteError", "BrokenResourceError", "ClosedResourceError"}:
        return TransportError(f"{peer}: the connection broke", code="reset")
    return TransportError(f"{peer}: {type(error).__name__}", code="transport")


def _system_reason(error: BaseException) -> tuple[str, str] | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: certificate verify failed: {error.verify_message}", "tls"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or 'handshake failed'}", "tls"
    if isinstance(error, socket.gaierror):
        return f"the name cannot be resolved: {error.strerror}", "dns"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused", "refused"
    if isinstance(error, ConnectionError):
        return "the connection broke", "reset"
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        return error.strerror, "transport"
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and all behind it, nearest first; the libraries hide the system's error in several places."""
    queue: list[BaseException] = [error]
    seen: set[int] = set()
    while queue and len(seen) < _MOST_LINKS:
        link = queue.pop(0)
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        behind = [link.__cause__, link.__context__, *link.args]
        if isinstance(link, BaseExceptionGroup):
            behind += link.exceptions
        queue += [other for other in behind if isinstance(other, BaseException)]
