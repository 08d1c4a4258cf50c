"""client_secret_post and client_secret_basic."""

from __future__ import annotations

import base64
from urllib.parse import unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.api import Client, ClientAuthPlugin, Secret, SecretMalformed
from broker.oauth.client_auth import client_secret_basic, client_secret_post

PLUGINS = {
    "client_secret_basic": client_secret_basic.plugin,
    "client_secret_post": client_secret_post.plugin,
}
VSCHAR = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1)

both = pytest.mark.parametrize("plugin", PLUGINS.values(), ids=PLUGINS.keys())


def client(secret: str | bytes, client_id: str = "deploy") -> Client:
    """A client with this secret."""
    return Client(client_id=client_id, client_secret=Secret(secret))


@given(client_id=VSCHAR, secret=VSCHAR)
def test_basic_decodes_as_the_rfc_says(client_id: str, secret: str) -> None:
    """R-025: base64, split at the first colon, form-decoded: any VSCHAR comes out as it went in."""
    headers = client_secret_basic.authenticate(client(secret, client_id)).headers
    scheme, _, encoded = headers["Authorization"].partition(" ")
    left, _, right = base64.b64decode(encoded, validate=True).decode("ascii").partition(":")
    assert ("Basic", client_id, secret) == (scheme, unquote_plus(left), unquote_plus(right))


def test_basic_golden() -> None:
    """R-025: a colon, a plus, a percent sign, an ampersand, an equals sign and a space."""
    headers = client_secret_basic.authenticate(client("+%&= x", "a:b")).headers
    assert b"a%3Ab:%2B%25%26%3D+x" == base64.b64decode(headers["Authorization"].removeprefix("Basic "))


def test_post_golden() -> None:
    """R-023: two parameters, no header; form encoding is the request's business."""
    made = client_secret_post.authenticate(client("S3CR3T- a+b%é"))
    expected = {"client_id": "deploy", "client_secret": "S3CR3T- a+b%é"}
    assert (expected, {}) == (made.form, made.headers)


@both
@pytest.mark.parametrize(
    "secret",
    [
        "S3CR3T-a\n",
        "S3CR3T-a\r\nX: y",
        "S3CR3T\0a",
        "S3CR3T-\x7f",
        "S3CR3T-\x85",
        "\tS3CR3T",
        "",
        b"S3CR3T-\xff",
    ],
)
def test_what_a_secret_may_not_have(plugin: ClientAuthPlugin, secret: str | bytes) -> None:
    """R-026: control characters, nothing at all, no text: refused without the value, and without a request."""
    with pytest.raises(SecretMalformed) as caught:
        plugin.authenticate(client(secret))
    assert caught.value.message.startswith("client_secret: ")
    assert "S3CR3T" not in f"{caught.value!r}{caught.value.__context__!r}"


@both
def test_spaces_belong_to_a_secret(plugin: ClientAuthPlugin) -> None:
    """R-026: leading and trailing spaces are sent as they are."""
    made = plugin.authenticate(client(" S3CR3T "))
    sent = made.form.get("client_secret") or unquote_plus(
        base64.b64decode(made.headers["Authorization"].removeprefix("Basic ")).decode().partition(":")[2]
    )
    assert " S3CR3T " == sent


def test_basic_refuses_what_is_not_ascii() -> None:
    """R-025: RFC 6749 allows VSCHAR; the message says what to do."""
    for made in (client("S3CR3T-é"), client("S3CR3T", "dé")):
        with pytest.raises(SecretMalformed, match="use client_secret_post"):
            client_secret_basic.authenticate(made)


@both
def test_a_client_without_a_secret(plugin: ClientAuthPlugin) -> None:
    """The method needs one."""
    with pytest.raises(SecretMalformed, match=r"client_secret: .* needs one"):
        plugin.authenticate(Client(client_id="deploy"))


@both
def test_a_client_without_a_name(plugin: ClientAuthPlugin) -> None:
    """An empty client_id, read from a backend perhaps."""
    with pytest.raises(SecretMalformed, match="client_id: "):
        plugin.authenticate(client("S3CR3T", ""))


@both
def test_nothing_shows_in_the_repr(plugin: ClientAuthPlugin) -> None:
    """What a method adds is not printed."""
    assert "S3CR3T" not in repr(plugin.authenticate(client("S3CR3T-x")))
