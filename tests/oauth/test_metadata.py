"""Authorization server metadata: where it lies, and whether it is believed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import (
    AuthorizationServerUnavailable,
    BrokerError,
    MetadataError,
    ProtocolError,
    Throttled,
)
from broker.model import AuthorizationServerMetadata, HttpResponse
from broker.oauth import metadata

ISSUER = "https://acme.outsystems.dev/auth/realms/19c31473"
DISCOVERY = "https://acme.outsystems.dev/identity/.well-known/openid-configuration"
ENDPOINT = f"{ISSUER}/protocol/openid-connect/token"


def document(**changes: Any) -> HttpResponse:
    """The customer's sample, with changes; None leaves a member out."""
    members = {"issuer": ISSUER, "token_endpoint": ENDPOINT} | changes
    kept = {name: value for name, value in members.items() if value is not None}
    return HttpResponse(status=200, headers={}, body=json.dumps(kept).encode())


def parse(
    response: HttpResponse,
    *,
    issuer: str | None = ISSUER,
    hosts: frozenset[str] = frozenset({"acme.outsystems.dev"}),
    allow_insecure_loopback: bool = False,
) -> AuthorizationServerMetadata:
    """With the customer's settings."""
    return metadata.parse(
        response, issuer=issuer, allowed_hosts=hosts, allow_insecure_loopback=allow_insecure_loopback
    )


def test_the_customers_document() -> None:
    """R-014: discovery under another path than the issuer's, no list of methods."""
    assert AuthorizationServerMetadata(issuer=ISSUER, token_endpoint=ENDPOINT) == parse(document())


def test_the_methods_are_kept() -> None:
    """RFC 8414 2: in the server's order."""
    listed = ["private_key_jwt", "client_secret_basic"]
    found = parse(document(token_endpoint_auth_methods_supported=listed))
    assert tuple(listed) == found.token_endpoint_auth_methods_supported


@pytest.mark.parametrize(
    "stated",
    [
        ISSUER + "/",
        ISSUER.upper(),
        ISSUER.replace("https:", "http:"),
        ISSUER.replace(".dev", ".dev:443"),
        ISSUER.replace("acme", "Acme"),
        ISSUER + "?",
        " " + ISSUER,
        "https://attacker.example/auth/realms/19c31473",
        "",
    ],
)
def test_near_misses_of_the_issuer(stated: str) -> None:
    """R-013, F-12: compared code point by code point, nothing is normalised."""
    with pytest.raises(MetadataError, match="not the pinned issuer") as caught:
        parse(document(issuer=stated))
    assert "issuer_mismatch" == caught.value.code


def test_a_stated_issuer_is_shown_only_if_it_is_plainly_a_url() -> None:
    """The operator sees what to pin; anything odd is not repeated."""
    with pytest.raises(MetadataError, match=r"the issuer https://other\.example/x and not"):
        parse(document(issuer="https://other.example/x"))
    for odd in ("https://user:S3CR3T@other.example", "S3CR3T\nx", "https://x/" + "S3CR3T" * 50):
        with pytest.raises(MetadataError, match="another issuer") as caught:
            parse(document(issuer=odd))
        assert "S3CR3T" not in str(caught.value)


def test_without_a_pinned_issuer() -> None:
    """The stated one is taken; the caller decides whether that may be."""
    assert "https://x.example" == parse(document(issuer="https://x.example"), issuer=None).issuer


@pytest.mark.parametrize(
    ("endpoint", "fault"),
    [
        (
            "https://attacker.example/token",
            "is on the host attacker.example, which is not in token_endpoint_hosts",
        ),
        ("https://acme.outsystems.dev.attacker.example/token", "token_endpoint_hosts"),
        ("https://attacker.example:443/acme.outsystems.dev", "token_endpoint_hosts"),
        ("https://acme.outsystems.dev@attacker.example/token", "has user information in it"),
        ("https://a:b@acme.outsystems.dev/token", "has user information in it"),
        ("https://@acme.outsystems.dev/token", "has user information in it"),
        ("https://acme.outsystems.dev/token#x", "has a fragment"),
        ("https://acme.outsystems.dev/token#", "has a fragment"),
        ("http://acme.outsystems.dev/token", "is not https"),
        ("ftp://acme.outsystems.dev/token", "is not an https URL"),
        ("//acme.outsystems.dev/token", "is not an https URL"),
        ("/token", "is not an https URL"),
        ("", "is not an https URL"),
        ("https:///token", "is not an https URL"),
        ("https://attacker.example\\@acme.outsystems.dev/", "is not an https URL"),
        ("https://acme.outsystems.dev/to\tken", "is not an https URL"),
        ("https://acme.outsystems.dev/to\r\nken", "is not an https URL"),
        ("https://acme.outsystems.dev:0/token", "is not an https URL"),
        ("https://acme.outsystems.dev:port/token", "is not an https URL"),
        ("https://[::1/token", "is not an https URL"),
        ("https://[fe80::1%25eth0]/token", "is not an https URL"),
        ("https://ac\u043ce.outsystems.dev/token", "is not an https URL"),
        ("https://acme.outsystems.dev./token", "token_endpoint_hosts"),
    ],
)
def test_endpoints_no_secret_is_sent_to(endpoint: str, fault: str) -> None:
    """R-015, R-006: off the list, not https, with user information or a fragment, or read in two ways."""
    with pytest.raises(MetadataError) as caught:
        parse(document(token_endpoint=endpoint))
    assert fault in caught.value.message
    assert "no secret was sent" in caught.value.message


@pytest.mark.parametrize(
    "endpoint",
    ["https://ACME.outsystems.dev/token", "https://acme.outsystems.dev:8443/token", ENDPOINT + "?tenant=1"],
)
def test_endpoints_taken(endpoint: str) -> None:
    """Hosts are compared in lower case and without port; a query is allowed (RFC 6749 3.2)."""
    assert endpoint == parse(document(token_endpoint=endpoint)).token_endpoint


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("[::1]", True),
        ("localhost", True),
        ("localhost.evil", False),
        ("127.0.0.1.nip.io", False),
        ("127.1", False),
        ("0x7f000001", False),
        ("2130706433", False),
        ("[::ffff:127.0.0.1]", False),
        ("0.0.0.0", False),
    ],
)
def test_plain_http_to_loopback_only(host: str, loopback: bool) -> None:  # noqa: FBT001 - a parameter
    """R-006: and only where it is allowed; no name is resolved to find out."""
    response = document(token_endpoint=f"http://{host}:8080/token")
    hosts = frozenset({host.strip("[]")})
    with pytest.raises(MetadataError, match="allow_insecure_loopback" if loopback else "is not https"):
        parse(response, hosts=hosts)
    if loopback:
        assert parse(response, hosts=hosts, allow_insecure_loopback=True).token_endpoint
    else:
        with pytest.raises(MetadataError):
            parse(response, hosts=hosts, allow_insecure_loopback=True)


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (document(issuer=None), ProtocolError),
        (document(issuer=1), ProtocolError),
        (document(token_endpoint=None), ProtocolError),
        (document(token_endpoint=["S3CR3T"]), ProtocolError),
        (document(token_endpoint_auth_methods_supported="S3CR3T"), ProtocolError),
        (document(token_endpoint_auth_methods_supported=[1]), ProtocolError),
        (HttpResponse(status=200, body=b"[" * 100_000), ProtocolError),
        (HttpResponse(status=200, body=b"S3CR3T"), ProtocolError),
        (HttpResponse(status=200, body=b""), AuthorizationServerUnavailable),
        (HttpResponse(status=200, body=b"<html>S3CR3T"), AuthorizationServerUnavailable),
        (HttpResponse(status=302, headers={"location": "https://S3CR3T"}), ProtocolError),
        (HttpResponse(status=404, body=b'{"error":"S3CR3T"}'), MetadataError),
        (HttpResponse(status=401), MetadataError),
        (HttpResponse(status=500), AuthorizationServerUnavailable),
        (HttpResponse(status=408), AuthorizationServerUnavailable),
        (HttpResponse(status=429, headers={"retry-after": "5"}), Throttled),
    ],
)
def test_answers_that_are_no_metadata(response: HttpResponse, kind: type[BrokerError]) -> None:
    """R-016, R-017: each in its class, and none of it repeated."""
    with pytest.raises(kind) as caught:
        parse(response)
    assert "S3CR3T" not in str(caught.value)
    assert None is caught.value.__context__


def test_well_known_addresses() -> None:
    """OpenID Discovery 4 appends, RFC 8414 3.1 inserts; both are derived from the issuer, the customer's is not."""
    issuer = "https://idp.example/realms/odc"
    assert f"{issuer}/.well-known/openid-configuration" == metadata.discovery_url(issuer)
    assert metadata.is_derived(metadata.discovery_url(issuer), issuer)
    assert metadata.is_derived(metadata.discovery_url(issuer + "/"), issuer + "/")
    assert metadata.is_derived(f"{issuer}/.well-known/oauth-authorization-server", issuer)
    inserted = "https://idp.example/.well-known/oauth-authorization-server/realms/odc"
    assert metadata.is_derived(inserted, issuer)
    assert not metadata.is_derived(DISCOVERY, ISSUER)


def test_default_hosts() -> None:
    """R-015: those of issuer and discovery URL, without ports; nonsense adds none."""
    hosts = metadata.default_hosts("https://A.example:8443/x", "https://b.example", None, "nonsense")
    assert frozenset({"a.example", "b.example"}) == hosts


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 3600.0),
        ("max-age=7200", 7200.0),
        ("public, max-age=7200, must-revalidate", 7200.0),
        ("Max-Age=7200", 7200.0),
        ("max-age=1", 600.0),
        ("max-age=999999999", 86_400.0),
        ("no-store", 600.0),
        ("no-cache, must-revalidate, no-transform, no-store", 600.0),
        ("max-age=soon", 3600.0),
    ],
)
def test_lifetime(header: str | None, seconds: float) -> None:
    """R-019: Cache-Control within ten minutes and a day."""
    headers = {} if header is None else {"cache-control": header}
    assert seconds == metadata.lifetime_seconds(HttpResponse(status=200, headers=headers))


@given(st.binary() | st.builds(lambda value: document(issuer=value).body, st.text()), st.text())
def test_no_document_raises_anything_else(body: bytes, endpoint: str) -> None:
    """Whatever comes, it is one of our errors."""
    for response in (HttpResponse(status=200, body=body), document(token_endpoint=endpoint)):
        with pytest.raises(BrokerError) as caught:
            parse(response)
        assert None is caught.value.__context__
