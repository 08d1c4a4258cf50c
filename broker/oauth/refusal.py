"""Every answer of the token endpoint that is not a token: its class and a hint (RFC 6749 5.2).

Owns: the one table from status and `error` to an exception. Status and shape decide, a registered `error`
value refines; an `error_description` is read for one word only and never shown, for it may quote the
request. Refuses to know: what is done about it (`broker.policy.retry`).

    status                       error                        exception                       class
    3xx, other 1xx/2xx           -                            ProtocolError                   protocol
    408, 425, 5xx                -                            AuthorizationServerUnavailable  transient
    429; 503 with a pause        -                            Throttled                       throttled
    401                          any or none                  CredentialRejected              credential
    400, 403, 200 with `error`   invalid_client               CredentialRejected              credential
    400, 403, 200 with `error`   unauthorized_client, its     RequestRejected                 configuration
                                 description says "grant"
    400, 403, 200 with `error`   other unauthorized_client    CredentialRejected              credential
                                 (Keycloak: wrong secret)
    400, 403, 200 with `error`   server_error,                AuthorizationServerUnavailable  transient
                                 temporarily_unavailable
    404, 405, 410                -                            TokenEndpointMoved              configuration
    400, 403, other 4xx          any other or none            RequestRejected                 configuration
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from broker.errors import (
    AuthorizationServerUnavailable,
    BrokerError,
    CredentialRejected,
    ProtocolError,
    RequestRejected,
    Throttled,
    TokenEndpointMoved,
)
from broker.model import HttpResponse
from broker.oauth import retry_after
from broker.oauth.strict_json import loads_object

_CREDENTIAL: Final = frozenset({"invalid_client", "unauthorized_client"})
_PASSING: Final = frozenset({"server_error", "temporarily_unavailable"})
_GONE: Final = frozenset({404, 405, 410})
_OTHER_TRANSIENT: Final = frozenset({408, 425})

_CREDENTIAL_HINTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "unauthorized_client": "the client secret is wrong or was regenerated, or it has no service account",
        "invalid_client": "the client is unknown or disabled, or its secret is wrong or expired",
        "invalid_request": "the client's service account may be disabled",
    }
)
_CREDENTIAL_HINT: Final = "it does not accept this client's credentials"

_GRANT_HINT: Final = (
    "the client may not use the client credentials grant: allow it at the authorization server"
)
_REQUEST_HINTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "invalid_scope": "a scope is unknown there or not allowed for this client: check the key `scope`",
        "invalid_target": "check the keys `resource` and `audience`",
        "unsupported_grant_type": "it has no client credentials grant: check `token_endpoint` or "
        "`discovery_url`",
        "unauthorized_client": _GRANT_HINT,
        "invalid_grant": _GRANT_HINT,
        "invalid_request": "it misses a parameter, or got one it refuses: check `parameters`, `resource`, "
        "`audience` and `token_endpoint_auth_method`",
        "access_denied": "its policy denies this client or the whole tenant",
    }
)
_REQUEST_HINT: Final = "it refuses the request: a policy or a firewall before it, or a wrong `token_endpoint`"

_REGISTERED: Final = frozenset(_CREDENTIAL | _PASSING | _CREDENTIAL_HINTS.keys() | _REQUEST_HINTS.keys())


def classify(response: HttpResponse, *, wall_now: float) -> BrokerError:
    """The exception for an answer whose status is not 200; `wall_now` dates a Retry-After."""
    by_status = classify_status(response, what="the token endpoint", wall_now=wall_now)
    if by_status is not None:
        return by_status
    status = response.status
    if status in _GONE:
        return TokenEndpointMoved(
            f"the token endpoint answered {status}: it is not there (any more); check "
            "`token_endpoint` or `discovery_url`"
        )
    code, about_grant = _error_of(_members(response))
    if status == 401:  # noqa: PLR2004 - the table above names it
        return _credential_rejected(code or "http_401", f"401{_named(code)}")
    if status in {400, 403}:
        return _refused(code, about_grant=about_grant, status=status)
    return _request_rejected(code, status=status)


def classify_status(response: HttpResponse, *, what: str, wall_now: float | None) -> BrokerError | None:
    """The exception where the status alone decides, for any document; None for 200 and most 4xx."""
    status = response.status
    pause = retry_after.seconds(response.headers, wall_now=wall_now)
    if status == 429 or (status == 503 and pause is not None):  # noqa: PLR2004 - the table above names them
        asked = "" if pause is None else f" and asks for {pause:.0f} s"
        return Throttled(f"{what} answered {status}{asked}: too many requests", retry_after_seconds=pause)
    if status in _OTHER_TRANSIENT or 500 <= status <= 599:  # noqa: PLR2004
        return AuthorizationServerUnavailable(f"{what} answered {status}", code=f"http_{status}")
    if 300 <= status <= 399:  # noqa: PLR2004
        return ProtocolError(
            f"{what} answered {status}: redirects are not followed; configure the final address",
            code="redirect",
        )
    if status != 200 and not 400 <= status <= 499:  # noqa: PLR2004
        return ProtocolError(f"{what} answered {status}, which is no answer to this request", code="status")
    return None


def classify_error_object(members: Mapping[str, Any]) -> BrokerError:
    """The exception for a 200 whose body is an error object, judged as if it were a 400 (R-045)."""
    code, about_grant = _error_of(members)
    return _refused(code, about_grant=about_grant, status=200)


def is_web_page(response: HttpResponse) -> bool:
    """HTML or XML where JSON was due: a portal or a proxy in between."""
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type in {"text/html", "application/xhtml+xml"} or response.body.lstrip().startswith(b"<")


def _refused(code: str | None, *, about_grant: bool, status: int) -> BrokerError:
    if code in _CREDENTIAL and not (code == "unauthorized_client" and about_grant):
        return _credential_rejected(code, f"{status}{_named(code)}")
    if code in _PASSING:
        return AuthorizationServerUnavailable(f"the token endpoint answered {status} {code}", code=code)
    return _request_rejected(code, status=status)


def _credential_rejected(code: str, answer: str) -> CredentialRejected:
    hint = _CREDENTIAL_HINTS.get(code, _CREDENTIAL_HINT)
    return CredentialRejected(f"the authorization server answered {answer}: {hint}", code=code)


def _request_rejected(code: str | None, *, status: int) -> RequestRejected:
    hint = _REQUEST_HINT if code is None else _REQUEST_HINTS.get(code, _REQUEST_HINT)
    return RequestRejected(
        f"the authorization server answered {status}{_named(code)}: {hint}", code=code or f"http_{status}"
    )


def _named(code: str | None) -> str:
    return "" if code is None else f" {code}"


def _members(response: HttpResponse) -> Mapping[str, Any]:
    """The error object, or nothing: an answer that is no JSON is judged by its status."""
    try:
        return loads_object(response.body)
    except ProtocolError:
        return {}


def _error_of(members: Mapping[str, Any]) -> tuple[str | None, bool]:
    """A registered `error` value, never a server's own words; and whether a grant is spoken of."""
    error, description = members.get("error"), members.get("error_description")
    code = error if isinstance(error, str) and error in _REGISTERED else None
    return code, isinstance(description, str) and "grant" in description.lower()
