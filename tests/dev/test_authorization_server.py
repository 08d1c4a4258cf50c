"""The development authorization server: client credentials as Keycloak and the RFC have them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from urllib.parse import quote_plus

import pytest

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.dev.asking import Reply, ask

MARKER = "S3CR3T-"


@pytest.fixture
def server() -> Iterator[DevelopmentAuthorizationServer]:
    """Without clients."""
    with DevelopmentAuthorizationServer(marker=MARKER) as running:
        yield running


def mint(server: DevelopmentAuthorizationServer, secret: str, **parameters: str) -> Reply:
    """A token for `deploy`, by client_secret_post."""
    form = {"grant_type": "client_credentials", "client_id": "deploy", "client_secret": secret}
    return ask(server.token_endpoint, form | parameters)


def basic(client_id: str, secret: str, *, encode: bool = True) -> dict[str, str]:
    """The header of client_secret_basic, form-encoded or raw."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}" if encode else f"{client_id}:{secret}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def test_right_secret_mints(server: DevelopmentAuthorizationServer) -> None:
    """A registered client gets a bearer token with the life it was registered with."""
    secret = server.register("deploy", lifetime_seconds=120, scope=("a", "b"))
    reply = mint(server, secret.reveal())
    assert 200 == reply.status
    assert (120, "Bearer", "a b") == tuple(
        reply.members[name] for name in ("expires_in", "token_type", "scope")
    )
    assert "no-store" == reply.headers["cache-control"]


def test_rotation_kills_the_old_secret_at_once_and_no_token(server: DevelopmentAuthorizationServer) -> None:
    """After a rotation the old secret is dead, the new one mints, and tokens issued before live on."""
    old = server.register("deploy")
    token = mint(server, old.reveal()).members["access_token"]
    new = server.rotate("deploy")
    assert (401, 200) == (mint(server, old.reveal()).status, mint(server, new.reveal()).status)
    assert server.introspect(token)["active"]


def test_suspension_revives(server: DevelopmentAuthorizationServer) -> None:
    """A suspended client gets nothing and its tokens are inactive; resumed, the same tokens are active."""
    secret = server.register("deploy")
    token = mint(server, secret.reveal()).members["access_token"]
    server.suspend("deploy")
    refused = mint(server, secret.reveal())
    assert (401, "invalid_client", False) == (
        refused.status,
        refused.members["error"],
        server.introspect(token)["active"],
    )
    server.resume("deploy")
    assert (200, True) == (mint(server, secret.reveal()).status, server.introspect(token)["active"])


def test_tokens_expire() -> None:
    """A token is inactive once its life is over."""
    now = [1_000.0]
    with DevelopmentAuthorizationServer(marker=MARKER, now=lambda: now[0]) as server:
        secret = server.register("deploy", lifetime_seconds=30)
        token = mint(server, secret.reveal()).members["access_token"]
        now[0] += 29
        assert server.introspect(token)["active"]
        now[0] += 1
        assert not server.introspect(token)["active"]


def test_introspection_endpoint_wants_a_client(server: DevelopmentAuthorizationServer) -> None:
    """RFC 7662: active for an authenticated client, refused for a stranger."""
    secret = server.register("deploy").reveal()
    token = mint(server, secret).members["access_token"]
    credential = {"client_id": "deploy", "client_secret": secret}
    asked = ask(server.introspection_endpoint, credential | {"token": token})
    stranger = ask(server.introspection_endpoint, {"token": token})
    assert (True, "deploy") == (asked.members["active"], asked.members["client_id"])
    assert 401 == stranger.status


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"client_secret": "S3CR3T-wrong"}, 401, "unauthorized_client"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": ""}, 400, "unsupported_grant_type"),
        ({"scope": "nosuch"}, 400, "invalid_scope"),
    ],
)
def test_keycloak_refuses(
    server: DevelopmentAuthorizationServer, change: dict[str, str], status: int, error: str
) -> None:
    """The answers that Keycloak 26.7 gives."""
    secret = server.register("deploy", scope=("a",))
    form = {"grant_type": "client_credentials", "client_id": "deploy", "client_secret": secret.reveal()}
    reply = ask(server.token_endpoint, form | change)
    assert (status, error) == (reply.status, reply.members["error"])


def test_rfc_dialect_names_the_scheme_on_401() -> None:
    """RFC 6749 5.2: invalid_client, with WWW-Authenticate when Basic was used."""
    with DevelopmentAuthorizationServer(dialect="rfc6749") as server:
        server.register("deploy", secret="S3CR3T-right")
        headers = basic("deploy", "S3CR3T-wrong")
        reply = ask(server.token_endpoint, {"grant_type": "client_credentials"}, headers=headers)
    assert (401, "invalid_client") == (reply.status, reply.members["error"])
    assert reply.headers["www-authenticate"].startswith("Basic ")


@pytest.mark.parametrize("secret", ["S3CR3T-a+b", "S3CR3T-a%41b", 'S3CR3T-a:b c&d=e/"\\'])
def test_basic_is_form_decoded(server: DevelopmentAuthorizationServer, secret: str) -> None:
    """A form-encoded Basic credential mints; the same sent raw is refused where the difference shows."""
    server.register("deploy", secret=secret)
    form = {"grant_type": "client_credentials"}
    assert 200 == ask(server.token_endpoint, form, headers=basic("deploy", secret)).status
    if "+" in secret or "%" in secret:
        raw = basic("deploy", secret, encode=False)
        assert 401 == ask(server.token_endpoint, form, headers=raw).status


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ("grant_type=client_credentials&client_secret=S3CR3T-b", "invalid_request"),
        ("grant_type=client_credentials&client_id=other", "invalid_request"),
        ("grant_type=client_credentials&grant_type=client_credentials", "invalid_request"),
        ("scope=a", "invalid_request"),
    ],
)
def test_malformed_requests_are_refused(
    server: DevelopmentAuthorizationServer, form: str, error: str
) -> None:
    """Two credentials at once, two client ids, a parameter twice, no grant type: 400."""
    server.register("deploy", secret="S3CR3T-a")
    reply = ask(server.token_endpoint, form, headers=basic("deploy", "S3CR3T-a"))
    assert (400, error) == (reply.status, reply.members["error"])


def test_get_is_not_allowed(server: DevelopmentAuthorizationServer) -> None:
    """The token endpoint takes POST only."""
    reply = ask(server.token_endpoint)
    assert (405, "POST") == (reply.status, reply.headers["allow"])


def test_metadata_lies_off_the_issuers_path(server: DevelopmentAuthorizationServer) -> None:
    """As in OutSystems ODC: discovery under /identity, issuer and token endpoint under /auth/realms."""
    metadata = ask(server.discovery_url).members
    assert (server.issuer, server.token_endpoint) == (metadata["issuer"], metadata["token_endpoint"])
    assert server.issuer.startswith(server.url + "/auth/realms/")
    assert server.discovery_url == server.url + "/identity/.well-known/openid-configuration"


def test_jwt_tokens_have_three_parts_and_the_marker() -> None:
    """A token that looks like a JWT, still with the canary in it."""
    with DevelopmentAuthorizationServer(marker=MARKER, token_format="jwt") as server:
        token = mint(server, server.register("deploy").reveal()).members["access_token"]
    assert 3 == len(token.split("."))
    assert MARKER in token


def test_ledger_keeps_requests_and_shows_no_secret(server: DevelopmentAuthorizationServer) -> None:
    """Time, method, path, headers, form and status of each request; credentials are not in the repr."""
    secret = server.register("deploy").reveal()
    mint(server, secret)
    ask(server.discovery_url)
    entry = server.ledger.entries("token")[0]
    assert (1, 1, 2) == tuple(server.ledger.count(where) for where in ("token", "metadata", None))
    assert ("POST", 200, secret) == (entry.method, entry.status, entry.form["client_secret"])
    assert "application/x-www-form-urlencoded" == entry.headers["content-type"]
    assert MARKER not in repr(entry)
