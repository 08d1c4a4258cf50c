"""The Host header against the address that is listened on (RFC 9110 7.2).

Owns: which names a browser may have used to come here. Refuses to know: requests, sockets. Somebody can point
a name of theirs at a loopback address (DNS rebinding) and let a browser read what it finds; such a name is
not ours.
"""

from __future__ import annotations

import ipaddress
import re

_AUTHORITY = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<name>[^:\[\]]+))(?::[0-9]{1,5})?")
_WILDCARDS = {"0.0.0.0", "::"}  # noqa: S104 - compared with, not bound to

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_ours(host_header: str | None, *, listen: str, local_host: str) -> bool:
    """Whether the header is a loopback name or `listen` itself, with or without its port.

    Where `listen` is a wildcard it stands for the address that the connection was made to, `local_host`.
    """
    if host_header is None:
        return False
    host, listen_host = _host(host_header), _host(listen)
    if host is None:
        return False
    if host in ("localhost", listen_host):
        return True
    address = _address(host)
    if address is None:
        return False
    return address.is_loopback or (listen_host in _WILDCARDS and address == _address(local_host))


def _host(authority: str) -> str | None:
    match = _AUTHORITY.fullmatch(authority)
    return (match["v6"] or match["name"]).lower() if match else None


def _address(text: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
