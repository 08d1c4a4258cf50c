"""The table from an answer of the token endpoint to a class."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from tests.oauth.answers import answer, parse, refusal

IC = "Invalid client or Invalid client credentials"
PAGE = b"<!DOCTYPE html><html><body>S3CR3T-page</body></html>"

STATUSES = [
    (201, ProtocolError), (204, ProtocolError), (301, ProtocolError), (302, ProtocolError),
    (303, ProtocolError), (304, ProtocolError), (307, ProtocolError), (308, ProtocolError),
    (400, RequestRejected), (401, CredentialRejected), (402, RequestRejected),
    (403, RequestRejected), (404, TokenEndpointMoved), (405, TokenEndpointMoved), (406, RequestRejected),
    (408, AuthorizationServerUnavailable), (410, TokenEndpointMoved),
    (413, RequestRejected), (415, RequestRejected), (425, AuthorizationServerUnavailable),
    (429, Throttled), (451, RequestRejected),
    (500, AuthorizationServerUnavailable), (502, AuthorizationServerUnavailable),
    (503, AuthorizationServerUnavailable), (504, AuthorizationServerUnavailable),
    (599, AuthorizationServerUnavailable),
]  # fmt: skip
"""By status alone, with a body that says nothing known."""

BODIES = {
    "empty": b"",
    "page": PAGE,
    "not json": b"S3CR3T-{",
    "other object": b'{"message":"S3CR3T-x"}',
    "unknown error": b'{"error":"S3CR3T-x"}',
    "error is no text": b'{"error":{"code":"S3CR3T-x"}}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize(("status", "kind"), STATUSES)
def test_status_decides(status: int, kind: type[BrokerError], body: bytes) -> None:
    """R-049: every status with every body that refines nothing."""
    refusal(kind, answer(body, status))


@pytest.mark.parametrize(
    "code", ["invalid_client", "unauthorized_client", "invalid_request", "invalid_scope"]
)
@pytest.mark.parametrize(
    ("status", "kind"), [(status, kind) for status, kind in STATUSES if status not in {400, 401, 403}]
)
def test_error_codes_do_not_overrule_the_status(status: int, kind: type[BrokerError], code: str) -> None:
    """R-049: `error` refines 400, 401 and 403 only."""
    refusal(kind, answer({"error": code}, status))


@pytest.mark.parametrize("status", [200, 400, 403])
@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("invalid_client", CredentialRejected),
        ("unauthorized_client", CredentialRejected),
        ("invalid_scope", RequestRejected),
        ("invalid_target", RequestRejected),
        ("invalid_request", RequestRejected),
        ("invalid_grant", RequestRejected),
        ("unsupported_grant_type", RequestRejected),
        ("access_denied", RequestRejected),
        ("server_error", AuthorizationServerUnavailable),
        ("temporarily_unavailable", AuthorizationServerUnavailable),
    ],
)
def test_error_codes_refine(status: int, code: str, kind: type[BrokerError]) -> None:
    """R-049, R-045: the registered codes on 400 and 403, and in a 200 that is none; the code is kept."""
    error = refusal(kind, answer({"error": code, "error_description": "S3CR3T-description"}, status))
    assert (code, True) == (error.code, code in error.message)


@pytest.mark.parametrize(
    ("status", "code", "description"),
    [
        (401, "unauthorized_client", IC),
        (401, "invalid_client", IC),
        (401, "invalid_request", "User service-account-deploy disabled"),
        (401, "unauthorized_client", "Client not enabled to retrieve service account"),
        (400, "unauthorized_client", "Invalid client secret"),
        (400, "unauthorized_client", "Unexpected error when authenticating client"),
        (400, "invalid_client", "Client is not enabled"),
        (400, "invalid_client", "Token reuse detected"),
    ],
)
def test_the_generations_of_keycloak(status: int, code: str, description: str) -> None:
    """R-051: recorded answers of three generations; all mean the credential."""
    body = {"error": code, "error_description": description}
    assert code == refusal(CredentialRejected, answer(body, status)).code


@pytest.mark.parametrize(
    ("status", "description"),
    [
        (400, "requested grant type is not allowed for this client"),
        (403, "Grant type 'client_credentials' not allowed for the client."),
    ],
)
def test_unauthorized_client_of_a_grant(status: int, description: str) -> None:
    """The client is known and may not use the grant: configuration, and the message says so."""
    body = {"error": "unauthorized_client", "error_description": description}
    assert "grant" in refusal(RequestRejected, answer(body, status)).message


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("unauthorized_client", "the client secret is wrong or was regenerated"),
        ("invalid_client", "the client is unknown or disabled"),
        ("invalid_request", "service account may be disabled"),
    ],
)
def test_credential_hints(code: str, hint: str) -> None:
    """R-051: what the code hints at, for the operator."""
    assert hint in refusal(CredentialRejected, answer({"error": code}, 401)).message


@pytest.mark.parametrize(
    ("code", "key"),
    [
        ("invalid_scope", "`scope`"),
        ("invalid_target", "`resource`"),
        ("invalid_request", "`parameters`"),
        ("unsupported_grant_type", "`token_endpoint`"),
    ],
)
def test_configuration_hints_name_the_key(code: str, key: str) -> None:
    """The message names the key to look at."""
    assert key in refusal(RequestRejected, answer({"error": code}, 400)).message


@pytest.mark.parametrize(
    "response",
    [
        answer(b""),
        answer(b" \r\n"),
        answer(PAGE),
        answer(PAGE, headers={"content-type": "text/html; charset=utf-8"}),
        answer(b"S3CR3T-maintenance", headers={"content-type": "text/html"}),
    ],
)
def test_200_without_an_answer_is_transient(response: HttpResponse) -> None:
    """R-045, F-06: an empty body or a web page: it will pass, and the body is not shown."""
    refusal(AuthorizationServerUnavailable, response)


def test_200_that_is_not_json_is_a_protocol_error() -> None:
    """Text that is neither JSON nor a page."""
    refusal(ProtocolError, answer(b"S3CR3T-plain", headers={"content-type": "text/plain"}))


@pytest.mark.parametrize(
    ("status", "headers", "pause"),
    [
        (429, {"retry-after": "60"}, 60.0),
        (429, {}, None),
        (503, {"retry-after": "120"}, 120.0),
        (503, {"x-ratelimit-reset": "30"}, 30.0),
        (429, {"retry-after": "S3CR3T-soon"}, 1.0),
    ],
)
def test_throttled(status: int, headers: dict[str, str], pause: float | None) -> None:
    """429, and 503 with a pause, carry how long to wait."""
    assert pause == refusal(Throttled, answer(b"", status, headers=headers)).retry_after_seconds


@given(
    status=st.integers(100, 999),
    body=st.binary() | st.sampled_from([b"{}", PAGE, b'{"error":"invalid_client"}', b'{"error":[]}']),
    headers=st.dictionaries(
        st.sampled_from(["content-type", "retry-after", "date", "x-ratelimit-reset"]), st.text()
    ),
)
def test_no_answer_raises_anything_else(status: int, body: bytes, headers: dict[str, str]) -> None:
    """R-049: whatever comes, it is one of our errors (no random answer is a token)."""
    with pytest.raises(BrokerError) as caught:
        parse(HttpResponse(status=status, headers=headers, body=body))
    assert None is caught.value.__context__
