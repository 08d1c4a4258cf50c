"""The access token request (RFC 6749 4.4.2)."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.api import ClientAuthentication
from broker.model import HttpRequest, TokenRequest
from broker.oauth.token_endpoint import RESERVED_PARAMETERS, build_request

POST = ClientAuthentication(form={"client_id": "deploy", "client_secret": "S3CR3T-x"})
BASIC = ClientAuthentication(headers={"Authorization": "Basic S3CR3T"})
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def build(request: TokenRequest, authentication: ClientAuthentication = POST) -> HttpRequest:
    """For an endpoint with a query of its own."""
    return build_request(
        token_endpoint="https://idp.example/token?x=1", request=request, authentication=authentication
    )


def test_the_customers_recipe() -> None:
    """R-022, R-023: a form-encoded POST with the credential in the body and no Authorization header."""
    built = build(TokenRequest())
    assert ("POST", "https://idp.example/token?x=1") == (built.method, built.url)
    assert b"grant_type=client_credentials&client_id=deploy&client_secret=S3CR3T-x" == built.body
    assert {
        "Accept": "application/json",
        "Content-Type": "application/x-www-form-urlencoded",
    } == built.headers


def test_basic_puts_nothing_in_the_body() -> None:
    """R-023: one method, never Basic and body together."""
    built = build(TokenRequest(), BASIC)
    assert (b"grant_type=client_credentials", "Basic S3CR3T") == (built.body, built.headers["Authorization"])


def test_every_parameter() -> None:
    """Scope joined by spaces, RFC 8707 resource repeated, the vendor's own last."""
    request = TokenRequest(
        scope=("a", "b"),
        resource=("https://a.example/x", "https://b.example"),
        audience="api://c",
        parameters={"organization": "ü & co"},
    )
    assert [
        ("grant_type", "client_credentials"),
        ("scope", "a b"),
        ("resource", "https://a.example/x"),
        ("resource", "https://b.example"),
        ("audience", "api://c"),
        ("organization", "ü & co"),
    ] == parse_qsl(build(request, BASIC).body.decode("ascii"), keep_blank_values=True)


def test_empty_values_are_left_out() -> None:
    """RFC 6749 3.2: a parameter without a value counts as omitted."""
    request = TokenRequest(audience="", parameters={"x": ""})
    assert b"grant_type=client_credentials" == build(request, BASIC).body


@pytest.mark.parametrize("name", sorted(RESERVED_PARAMETERS))
def test_reserved_parameters(name: str) -> None:
    """R-027: what the broker sets cannot be set by a token's own parameters."""
    with pytest.raises(ValueError, match=name):
        build(TokenRequest(parameters={name: "x"}))


@pytest.mark.parametrize(
    "authentication",
    [
        ClientAuthentication(form={"client_secret": "S3CR3T-x"}, headers={"authorization": "Basic x"}),
        ClientAuthentication(form={"client_assertion": "S3CR3T-x"}, headers={"Authorization": "Basic x"}),
        ClientAuthentication(form={"grant_type": "password"}),
        ClientAuthentication(form={"scope": "x"}),
        ClientAuthentication(form={"tenant": "x"}),
    ],
)
def test_a_client_authentication_plugin_has_its_bounds(authentication: ClientAuthentication) -> None:
    """R-023: two methods at once, or a parameter of the request, is a fault of the plug-in."""
    with pytest.raises(ValueError, match="client authentication"):
        build(TokenRequest(parameters={"tenant": "y"}), authentication)


def test_credentials_are_not_in_the_repr() -> None:
    """Neither body nor headers show."""
    assert "S3CR3T" not in repr(build(TokenRequest())) + repr(build(TokenRequest(), BASIC))


@given(
    scope=st.lists(TEXT.filter(lambda name: " " not in name)),
    resource=st.lists(TEXT),
    parameters=st.dictionaries(TEXT.filter(lambda name: name not in RESERVED_PARAMETERS), TEXT),
)
def test_what_is_built_decodes_to_what_was_asked(
    scope: list[str], resource: list[str], parameters: dict[str, str]
) -> None:
    """R-022: any text survives the encoding, and only `resource` comes more than once."""
    built = build(
        TokenRequest(scope=tuple(scope), resource=tuple(resource), parameters=parameters),
        ClientAuthentication(),
    )
    pairs = parse_qsl(built.body.decode("ascii"), keep_blank_values=True, max_num_fields=None)
    assert resource == [value for name, value in pairs if name == "resource"]
    others = dict(pair for pair in pairs if pair[0] != "resource")
    assert len(others) + len(resource) == len(pairs)
    asked = {"grant_type": "client_credentials", **({"scope": " ".join(scope)} if scope else {})}
    assert asked | parameters == others
