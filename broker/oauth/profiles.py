"""Presets per product, and the choice of the client authentication method.

Owns: what each `profile` changes, with the reason. Refuses to know: URLs; a profile sets defaults and
derives no address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from broker.model import AuthorizationServerMetadata

DEFAULT_AUTH_METHOD: Final = "client_secret_basic"
"""RFC 8414 2: what a server supports that lists nothing."""

METHODS_BY_PREFERENCE: Final = ("client_secret_basic", "client_secret_post")
"""Those that a client secret is enough for; Basic first, for every server must have it (RFC 6749 2.3.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileDefaults:
    """What a profile sets unless the table's own key does. None: the metadata decides."""

    token_endpoint_auth_method: str | None = None


PROFILES: Final[Mapping[str, ProfileDefaults]] = MappingProxyType(
    {
        # Its documentation posts the secret, and its metadata lists no methods: the RFC's default is wrong.
        "outsystems-odc": ProfileDefaults(token_endpoint_auth_method="client_secret_post"),
        # Takes both with any secret, as long as Basic is form-encoded, and its metadata says so.
        "keycloak": ProfileDefaults(),
        "generic": ProfileDefaults(),
    }
)


def auth_method(configured: str | None, profile: str, metadata: AuthorizationServerMetadata | None) -> str:
    """The one method, found without trial and error (R-024); no metadata for a fixed token endpoint."""
    if configured is not None:
        return configured
    defaults = PROFILES.get(profile, ProfileDefaults())
    if defaults.token_endpoint_auth_method is not None:
        return defaults.token_endpoint_auth_method
    listed = metadata.token_endpoint_auth_methods_supported if metadata is not None else None
    for method in METHODS_BY_PREFERENCE:
        if method in (listed or ()):
            return method
    return DEFAULT_AUTH_METHOD
