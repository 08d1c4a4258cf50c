"""The access token request, and what came back.

Owns: the request of the client credentials grant (RFC 6749 4.4.2, RFC 8707 `resource`), and which reader
judges an answer. Refuses to know: how a client authenticates, how bytes travel, when to try again. The
answers themselves are read by `token_answer` (success) and `refusal` (everything else).
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from broker.api import ClientAuthentication
from broker.errors import AuthorizationServerUnavailable
from broker.model import AccessToken, HttpRequest, HttpResponse, Moment, TokenRequest
from broker.oauth import refusal, token_answer
from broker.oauth.strict_json import loads_object

GRANT_TYPE: Final = "client_credentials"

RESERVED_PARAMETERS: Final = frozenset(
    {
        "grant_type",
        "client_id",
        "client_secret",
        "client_assertion",
        "client_assertion_type",
        "scope",
        "resource",
        "audience",
    }
)
"""What a token's own `parameters` may not set: the broker sets it, or a key of its own does (R-027)."""

_OK: Final = 200


def build_request(
    *, token_endpoint: str, request: TokenRequest, authentication: ClientAuthentication
) -> HttpRequest:
    """A form-encoded POST; no parameter but `resource` comes twice, empty values are left out.

    ValueError for what the configuration's rules should have stopped: a reserved name in `parameters`, or
    two client authentication methods at once.
    """
    reserved = RESERVED_PARAMETERS.intersection(request.parameters)
    if reserved:
        raise ValueError(f"parameters may not set {', '.join(sorted(reserved))}")
    in_header = any(name.lower() == "authorization" for name in authentication.headers)
    if in_header and authentication.form.keys() & {"client_secret", "client_assertion"}:
        raise ValueError("a request carries one client authentication method (RFC 6749 2.3)")
    if authentication.form.keys() & (
        request.parameters.keys() | {"grant_type", "scope", "resource", "audience"}
    ):
        raise ValueError("client authentication may not set a parameter of the request")
    pairs = [
        ("grant_type", GRANT_TYPE),
        ("scope", " ".join(request.scope)),
        *(("resource", resource) for resource in request.resource),
        ("audience", request.audience or ""),
        *request.parameters.items(),
        *authentication.form.items(),
    ]
    return HttpRequest(
        method="POST",
        url=token_endpoint,
        headers={
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
            **authentication.headers,
        },
        body=urlencode([(name, value) for name, value in pairs if value]).encode("ascii"),
    )


def parse_answer(
    response: HttpResponse,
    *,
    request: TokenRequest,
    issued: Moment,
    wall_now: float,
    default_lifetime_seconds: float | None,
    secret_version: str | None,
) -> AccessToken:
    """The minted token; `issued` was read before the request was sent (R-041).

    Raises CredentialRejected, RequestRejected, TokenEndpointMoved, Throttled, ProtocolError or
    AuthorizationServerUnavailable. No message has any part of the body.
    """
    if response.status != _OK:
        raise refusal.classify(response, wall_now=wall_now)
    if not response.body.strip():
        raise AuthorizationServerUnavailable(
            "the token endpoint answered 200 with an empty body", code="empty"
        )
    if refusal.is_web_page(response):
        raise AuthorizationServerUnavailable(
            "the token endpoint answered 200 with a web page: maintenance, or a captive portal in between",
            code="web_page",
        )
    members = loads_object(response.body, what="the token endpoint's answer")
    if "error" in members:
        raise refusal.classify_error_object(members)
    return token_answer.read(
        members,
        request=request,
        issued=issued,
        default_lifetime_seconds=default_lifetime_seconds,
        secret_version=secret_version,
    )
