"""Addresses that a server tells us, before a secret goes there.

Owns: which URL may be an endpoint: https (http to a loopback address where that is allowed), no userinfo,
no fragment, a host on the list (RFC 6749 3.2, R-006, R-015). Refuses to know: where the URL came from.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

_PRINTABLE: Final = re.compile(r"[!#-\[\]-~]{1,2048}", re.ASCII)
_HOST: Final = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+", re.ASCII)


def host(url: str) -> str | None:
    """The lower-case host without port; None if `url` is not an absolute http(s) URL with a plain host."""
    parts = _split(url)
    return None if parts is None else parts.hostname


def fault(url: str, *, allowed_hosts: frozenset[str], allow_insecure_loopback: bool) -> str | None:
    """What is wrong with an endpoint, as the end of a sentence; None if a secret may be sent there."""
    parts = _split(url)
    if parts is None or parts.hostname is None:
        return "is not an https URL"
    if "@" in parts.netloc:
        return "has user information in it"
    if "#" in url:
        return "has a fragment"
    if parts.scheme != "https":
        if not is_loopback(parts.hostname):
            return "is not https"
        if not allow_insecure_loopback:
            return "is plain http to a loopback address, which needs allow_insecure_loopback = true"
    if parts.hostname not in {allowed.lower() for allowed in allowed_hosts}:
        return f"is on the host {parts.hostname}, which is not in token_endpoint_hosts: add it if it is yours"
    return None


def is_loopback(hostname: str) -> bool:
    """`localhost` or a literal loopback address; no other name is believed, wherever it resolves to."""
    if hostname == "localhost":
        return True
    try:
        address: IPv4Address | IPv6Address = ip_address(hostname)
    except ValueError:
        return False
    return address.is_loopback and "%" not in hostname


def _split(url: str) -> SplitResult | None:
    # urlsplit drops tabs and line breaks silently and keeps backslashes, hence the alphabet.
    if not _PRINTABLE.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or port == 0:
        return None
    if not parts.hostname or not _HOST.fullmatch(parts.hostname):
        return None
    return parts
