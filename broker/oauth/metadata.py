"""Authorization server metadata (RFC 8414, OpenID Discovery): where it lies and whether to believe it.

Owns: the well-known addresses, the comparison of issuers, the allow-list of token endpoint hosts, how long
a document is good. Refuses to know: fetching and caching. A document that fails a check is not used at all
(RFC 8414 3.3).
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import urlsplit

from broker.errors import AuthorizationServerUnavailable, MetadataError, ProtocolError
from broker.model import AuthorizationServerMetadata, HttpResponse
from broker.oauth import endpoint_url, refusal
from broker.oauth.strict_json import loads_object

SHORTEST_LIFETIME_SECONDS: Final = 600.0
LONGEST_LIFETIME_SECONDS: Final = 86_400.0
LIFETIME_WITHOUT_CACHE_CONTROL_SECONDS: Final = 3_600.0

_SUFFIXES: Final = ("openid-configuration", "oauth-authorization-server")
_SHOWN: Final = re.compile(r"https?://[A-Za-z0-9.:/_~%-]{1,200}", re.ASCII)
_MAX_AGE: Final = re.compile(r"max-age\s*=\s*\"?([0-9]{1,10})\"?", re.ASCII)
_OK: Final = 200
_SUBJECT: Final = "the authorization server metadata"


def discovery_url(issuer: str) -> str:
    """Where OpenID Connect Discovery 4 puts the document of this issuer."""
    return f"{issuer.rstrip('/')}/.well-known/openid-configuration"


def is_derived(url: str, issuer: str) -> bool:
    """Whether `url` is a well-known address of `issuer`: appended (OpenID) or inserted (RFC 8414 3.1)."""
    return url in _well_known(issuer)


def default_hosts(*urls: str | None) -> frozenset[str]:
    """The default of `token_endpoint_hosts`: the hosts of issuer and discovery URL."""
    return frozenset(host for url in urls if url is not None and (host := endpoint_url.host(url)) is not None)


def parse(
    response: HttpResponse,
    *,
    issuer: str | None,
    allowed_hosts: frozenset[str],
    allow_insecure_loopback: bool,
    wall_now: float | None = None,
) -> AuthorizationServerMetadata:
    """The checked metadata; `issuer` is the pinned one, compared code point by code point.

    Raises MetadataError, ProtocolError, AuthorizationServerUnavailable, or Throttled for a 429.
    """
    _check_status(response, wall_now)
    members = loads_object(response.body, what=_SUBJECT)
    stated = members.get("issuer")
    if not isinstance(stated, str):
        raise ProtocolError(f"{_SUBJECT} states no issuer", code="issuer")
    if issuer is not None and stated != issuer:
        raise MetadataError(
            f"{_SUBJECT} states {_shown(stated)} and not the pinned issuer: it is not used; if it is "
            "right, set `issuer` to exactly that",
            code="issuer_mismatch",
        )
    endpoint = members.get("token_endpoint")
    if not isinstance(endpoint, str):
        raise ProtocolError(f"{_SUBJECT} names no token_endpoint", code="token_endpoint")
    fault = endpoint_url.fault(
        endpoint, allowed_hosts=allowed_hosts, allow_insecure_loopback=allow_insecure_loopback
    )
    if fault is not None:
        raise MetadataError(
            f"the token_endpoint in {_SUBJECT} {fault}; no secret was sent", code="token_endpoint"
        )
    return AuthorizationServerMetadata(
        issuer=stated,
        token_endpoint=endpoint,
        token_endpoint_auth_methods_supported=_methods(members),
    )


def lifetime_seconds(response: HttpResponse) -> float:
    """Seconds until the document is read again: its max-age within [10 min, 24 h] (R-019)."""
    directives = response.headers.get("cache-control", "").lower()
    if any(directive.strip() in {"no-store", "no-cache"} for directive in directives.split(",")):
        return SHORTEST_LIFETIME_SECONDS
    max_age = _MAX_AGE.search(directives)
    asked = LIFETIME_WITHOUT_CACHE_CONTROL_SECONDS if max_age is None else float(max_age[1])
    return min(max(asked, SHORTEST_LIFETIME_SECONDS), LONGEST_LIFETIME_SECONDS)


def _well_known(issuer: str) -> frozenset[str]:
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    appended = {f"{issuer.rstrip('/')}/.well-known/{suffix}" for suffix in _SUFFIXES}
    inserted = {f"{origin}/.well-known/{suffix}{path}" for suffix in _SUFFIXES}
    return frozenset(appended | inserted)


def _check_status(response: HttpResponse, wall_now: float | None) -> None:
    by_status = refusal.classify_status(response, what=_SUBJECT, wall_now=wall_now)
    if by_status is not None:
        raise by_status
    if response.status != _OK:
        raise MetadataError(
            f"{_SUBJECT}: the server answered {response.status}; check `discovery_url`",
            code=f"http_{response.status}",
        )
    if not response.body.strip() or refusal.is_web_page(response):
        raise AuthorizationServerUnavailable(
            f"{_SUBJECT}: the server answered 200 with an empty body or a web page; check `discovery_url` "
            "if it stays so",
            code="web_page",
        )


def _methods(members: dict[str, Any]) -> tuple[str, ...] | None:
    listed = members.get("token_endpoint_auth_methods_supported")
    if listed is None:
        return None
    if not isinstance(listed, list) or not all(isinstance(method, str) for method in listed):
        raise ProtocolError(
            f"{_SUBJECT}: token_endpoint_auth_methods_supported is not a list of names", code="auth_methods"
        )
    return tuple(listed)


def _shown(stated: str) -> str:
    """The stated issuer where it is plainly a URL and nothing else; it is what the operator has to pin."""
    return f"the issuer {stated}" if _SHOWN.fullmatch(stated) else "another issuer"
