"""Presets, and the choice of the client authentication method."""

from __future__ import annotations

from typing import get_args

import pytest

from broker.config.schema import Profile
from broker.model import AuthorizationServerMetadata
from broker.oauth.profiles import PROFILES, auth_method


def listing(*methods: str) -> AuthorizationServerMetadata:
    """Metadata that lists these."""
    return AuthorizationServerMetadata(
        issuer=None, token_endpoint="https://x/", token_endpoint_auth_methods_supported=methods
    )


SILENT = AuthorizationServerMetadata(issuer=None, token_endpoint="https://x/")


@pytest.mark.parametrize(
    ("configured", "profile", "metadata", "method"),
    [
        ("client_secret_post", "generic", listing("client_secret_basic"), "client_secret_post"),
        ("private_key_jwt", "outsystems-odc", SILENT, "private_key_jwt"),
        (None, "outsystems-odc", listing("client_secret_basic"), "client_secret_post"),
        (None, "outsystems-odc", None, "client_secret_post"),
        (None, "generic", listing("client_secret_post", "client_secret_basic"), "client_secret_basic"),
        (None, "keycloak", listing("private_key_jwt", "client_secret_post"), "client_secret_post"),
        (None, "generic", listing("private_key_jwt"), "client_secret_basic"),
        (None, "generic", listing(), "client_secret_basic"),
        (None, "generic", SILENT, "client_secret_basic"),
        (None, "keycloak", None, "client_secret_basic"),
    ],
)
def test_own_key_then_profile_then_metadata_then_basic(
    configured: str | None, profile: str, metadata: AuthorizationServerMetadata | None, method: str
) -> None:
    """R-024: found without trial and error."""
    assert method == auth_method(configured, profile, metadata)


def test_every_configurable_profile_is_known() -> None:
    """The schema's names and the presets are the same."""
    assert set(get_args(Profile)) == set(PROFILES)
