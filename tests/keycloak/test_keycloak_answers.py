"""What a real Keycloak answers at its token endpoint: the facts that our classification rests on."""

from __future__ import annotations

import base64
from urllib.parse import quote_plus

import pytest

from tests.servers.http import Answer
from tests.servers.keycloak import Keycloak, KeycloakClient
from tests.servers.keycloak_realm import TOKEN_LIFESPAN_SECONDS

pytestmark = pytest.mark.keycloak

REFUSED = "Invalid client or Invalid client credentials"


def ask_token(keycloak: Keycloak, client_id: str, secret: str, **more: str) -> Answer:
    """A client credentials request with the secret in the body."""
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    return keycloak.post_form(keycloak.token_endpoint, form | more)


def ask_token_by_basic(keycloak: Keycloak, user: str, password: str) -> Answer:
    """The same with the credentials in the Authorization header, exactly as given."""
    credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}"}
    return keycloak.post_form(keycloak.token_endpoint, {"grant_type": "client_credentials"}, headers=headers)


def access_token(keycloak: Keycloak, client: KeycloakClient) -> str:
    """A token that must be had."""
    token: str = ask_token(keycloak, client.client_id, client.secret).json["access_token"]
    return token


def failure(answer: Answer) -> tuple[int, str, str]:
    """Status, error code and description."""
    return answer.status, answer.json["error"], answer.json["error_description"]


def test_the_issuer_lies_on_another_host_than_the_discovery_url(keycloak: Keycloak) -> None:
    """The customer's case: what is asked at 127.0.0.1 calls itself localhost, token endpoint included."""
    metadata = keycloak.get(keycloak.discovery_url).json
    assert (keycloak.issuer, keycloak.token_endpoint) == (metadata["issuer"], metadata["token_endpoint"])
    assert not keycloak.discovery_url.startswith(keycloak.issuer)


def test_a_token_lives_for_the_twelve_hours_of_the_realm(keycloak: Keycloak) -> None:
    """expires_in may be a second or two less than configured: it is computed after the token was made."""
    client = keycloak.create_client()
    answer = ask_token(keycloak, client.client_id, client.secret)
    assert (200, "Bearer") == (answer.status, answer.json["token_type"])
    assert TOKEN_LIFESPAN_SECONDS - 2 <= answer.json["expires_in"] <= TOKEN_LIFESPAN_SECONDS


def test_the_answer_names_a_scope_that_nobody_asked_for_and_no_refresh_token(keycloak: Keycloak) -> None:
    """The realm's default scopes come unasked; a strict comparison with the request would refuse them."""
    client = keycloak.create_client()
    answer = ask_token(keycloak, client.client_id, client.secret).json
    assert {"email", "profile"} == set(answer["scope"].split())
    assert (0, None) == (answer["refresh_expires_in"], answer.get("refresh_token"))


def test_a_secret_with_special_characters_needs_form_encoding_in_basic(keycloak: Keycloak) -> None:
    """RFC 6749 2.3.1: encoded it is accepted; raw, a percent sign that is no escape is a 400."""
    client = keycloak.create_client(secret='S3CR3T-a+b%c:d&e f=g/"\\')
    encoded = ask_token_by_basic(keycloak, quote_plus(client.client_id), quote_plus(client.secret))
    raw = ask_token_by_basic(keycloak, client.client_id, client.secret)
    assert (200, 400, "unauthorized_client") == (encoded.status, raw.status, raw.json["error"])


def test_a_client_has_a_lifespan_of_its_own(keycloak: Keycloak) -> None:
    """Short tokens for tests that watch a renewal."""
    client = keycloak.create_client(lifespan_seconds=20)
    assert ask_token(keycloak, client.client_id, client.secret).json["expires_in"] in {18, 19, 20}


def test_a_wrong_secret_is_unauthorized_client(keycloak: Keycloak) -> None:
    """401, but not the invalid_client of RFC 6749 5.2, and without WWW-Authenticate or Date."""
    client = keycloak.create_client()
    answer = ask_token(keycloak, client.client_id, "S3CR3T-wrong")
    assert (401, "unauthorized_client", REFUSED) == failure(answer)
    assert (None, None) == (answer.headers["WWW-Authenticate"], answer.headers["Date"])


def test_an_unknown_client_is_invalid_client(keycloak: Keycloak) -> None:
    """Told apart from a wrong secret by the code alone."""
    assert (401, "invalid_client", REFUSED) == failure(ask_token(keycloak, "nobody", "S3CR3T-any"))


def test_a_disabled_client_is_invalid_client_until_it_is_enabled(keycloak: Keycloak) -> None:
    """Suspended: the right secret is refused, and works again afterwards."""
    client = keycloak.create_client()
    client.disable()
    suspended = failure(ask_token(keycloak, client.client_id, client.secret))
    client.enable()
    assert (401, "invalid_client", REFUSED) == suspended
    assert 200 == ask_token(keycloak, client.client_id, client.secret).status


def test_a_deleted_client_is_invalid_client(keycloak: Keycloak) -> None:
    """Gone and never there are one answer."""
    client = keycloak.create_client()
    client.delete()
    assert (401, "invalid_client", REFUSED) == failure(ask_token(keycloak, client.client_id, client.secret))


def test_an_unknown_scope_is_invalid_scope(keycloak: Keycloak) -> None:
    """400, with the scope in the description."""
    client = keycloak.create_client()
    answer = ask_token(keycloak, client.client_id, client.secret, scope="nosuch")
    assert (400, "invalid_scope", "Invalid scopes: nosuch") == failure(answer)


def test_regenerating_the_secret_kills_the_old_one_at_once(keycloak: Keycloak) -> None:
    """One secret per client: between the rotation and its storing, every mint is refused."""
    client = keycloak.create_client()
    old, new = client.secret, client.regenerate_secret()
    assert (401, "unauthorized_client", REFUSED) == failure(ask_token(keycloak, client.client_id, old))
    assert 200 == ask_token(keycloak, client.client_id, new).status


def test_a_token_outlives_the_secret_that_got_it(keycloak: Keycloak) -> None:
    """The only overlap of a rotation: a token issued before is still active after it."""
    client = keycloak.create_client()
    token = access_token(keycloak, client)
    client.regenerate_secret()
    claims = keycloak.introspect(token)
    assert (True, keycloak.issuer, client.client_id) == (claims["active"], claims["iss"], claims["client_id"])


def test_suspending_a_client_suspends_its_tokens(keycloak: Keycloak) -> None:
    """Inactive while disabled, the same token is active again when enabled: never delete it."""
    client = keycloak.create_client()
    token = access_token(keycloak, client)
    client.disable()
    suspended = keycloak.introspect(token)
    client.enable()
    assert ({"active": False}, True) == (suspended, keycloak.introspect(token)["active"])


def test_an_unknown_realm_is_not_found(keycloak: Keycloak) -> None:
    """404 with a body that has no error_description."""
    answer = keycloak.get(keycloak.discovery_url.replace("/realms/odc/", "/realms/nosuch/"))
    assert (404, {"error": "Realm does not exist"}) == (answer.status, answer.json)
