"""What the development authorization server answers when nothing is wrong with it.

Owns: the token endpoint (RFC 6749 3.2, 4.4), the introspection endpoint (RFC 7662) and the metadata (RFC
8414), in the words of Keycloak or of the RFC. Refuses to know: sockets and faults.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, unquote_plus

from broker.dev.registry import RegisteredClient, Registry

Dialect = Literal["keycloak", "rfc6749"]

NO_STORE: Final[Mapping[str, str]] = {"Cache-Control": "no-store", "Pragma": "no-cache"}

_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_IC: Final = "Invalid client or Invalid client credentials"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A JSON answer before it is rendered; members may hold a token."""

    status: int
    members: Mapping[str, Any] = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=lambda: NO_STORE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request as the service sees it: header names in lower case."""

    method: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class _RefusedError(Exception):
    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class TokenService:
    """Thread-safe, as far as the registry is."""

    def __init__(self, registry: Registry, *, dialect: Dialect) -> None:
        self._registry = registry
        self._dialect = dialect

    def token(self, call: Call, *, same_token: bool = False) -> Answer:
        """The access token response or error response; `same_token` repeats the client's last token."""
        try:
            return self._token(call, same_token=same_token)
        except _RefusedError as refused:
            return refused.answer

    def introspect(self, call: Call) -> Answer:
        """Whether a token is active; the asking client authenticates like anywhere else."""
        try:
            form = self._form(call)
            self._client(call, form)
        except _RefusedError as refused:
            return refused.answer
        return Answer(status=200, members=self._registry.introspect(form.get("token", "")))

    def _token(self, call: Call, *, same_token: bool) -> Answer:
        form = self._form(call)
        if "grant_type" not in form:
            raise self._error(400, "invalid_request", "Missing form parameter: grant_type")
        if form["grant_type"] != "client_credentials":
            raise self._error(400, "unsupported_grant_type", "Unsupported grant_type")
        client = self._client(call, form)
        scope = self._scope(client, form.get("scope", ""))
        token = self._registry.latest(client.client_id) if same_token else None
        if token is None:
            token = self._registry.issue(client, scope)
            expires_in = client.lifetime_seconds
        else:
            expires_in = self._registry.remaining_seconds(token)
        members: dict[str, Any] = {
            "access_token": token.value.reveal(),
            "expires_in": expires_in,
            "token_type": "Bearer",
        }
        if self._dialect == "keycloak":
            members |= {"refresh_expires_in": 0, "not-before-policy": 0}
        if token.scope:
            members["scope"] = " ".join(token.scope)
        return Answer(status=200, members=members)

    def _form(self, call: Call) -> dict[str, str]:
        if call.method != "POST":
            answer = Answer(
                status=405, members={"error": "HTTP 405 Method Not Allowed"}, headers={"Allow": "POST"}
            )
            raise _RefusedError(answer)
        media_type = call.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/x-www-form-urlencoded":
            raise self._error(400, "invalid_request", "Missing form parameter: grant_type")
        pairs = parse_qsl(call.body.decode("latin-1"), keep_blank_values=True, encoding="utf-8")
        names = [name for name, _ in pairs if name != "resource"]
        if len(names) != len(set(names)):
            raise self._error(400, "invalid_request", "duplicated parameter")
        return dict(pairs)

    def _client(self, call: Call, form: Mapping[str, str]) -> RegisteredClient:
        client_id, secret, basic = self._credential(call, form)
        outcome = self._registry.authenticate(client_id, secret)
        if isinstance(outcome, RegisteredClient):
            return outcome
        if self._dialect == "keycloak":
            raise self._error(
                401, "unauthorized_client" if outcome == "wrong_secret" else "invalid_client", _IC
            )
        headers = {"WWW-Authenticate": 'Basic realm="dev", error="invalid_client"'} if basic else {}
        raise self._error(401, "invalid_client", "client authentication failed", headers)

    def _credential(self, call: Call, form: Mapping[str, str]) -> tuple[str, str, bool]:
        header = call.headers.get("authorization")
        if header is None:
            return form.get("client_id", ""), form.get("client_secret", ""), False
        if "client_secret" in form:
            raise self._error(400, "invalid_request", "more than one client authentication method")
        scheme, _, encoded = header.partition(" ")
        try:
            pair = base64.b64decode(encoded, validate=True).decode() if scheme.lower() == "basic" else ""
        except (binascii.Error, UnicodeDecodeError):
            pair = ""
        if _BAD_ESCAPE.search(pair):
            raise self._error(400, "unauthorized_client", "Unexpected error when authenticating client")
        client_id, _, secret = (unquote_plus(half) for half in pair.partition(":"))
        if form.get("client_id", client_id) != client_id:
            raise self._error(400, "invalid_request", "client_id mismatch")
        return client_id, secret, True

    def _scope(self, client: RegisteredClient, requested: str) -> tuple[str, ...]:
        names = tuple(dict.fromkeys(requested.split()))
        if client.scope is None:
            return names
        unknown = [name for name in names if name not in client.scope]
        if unknown:
            raise self._error(400, "invalid_scope", f"Invalid scopes: {' '.join(unknown)}")
        return names or client.scope

    def _error(
        self, status: int, code: str, description: str, headers: Mapping[str, str] | None = None
    ) -> _RefusedError:
        members = {"error": code, "error_description": description}
        return _RefusedError(Answer(status=status, members=members, headers={**NO_STORE, **(headers or {})}))
