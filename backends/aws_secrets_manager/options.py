"""The keys of a `[secret_backends.NAME]` table of type "aws-secrets-manager".

Owns: names, types and defaults. Refuses to know: credentials; they come from AWS's standard chain.
"""

from __future__ import annotations

import msgspec

from broker.api import HttpUrl


class SecretsManagerOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[secret_backends.NAME]`."""

    region: str | None = None
    """Required; optional here only so that its absence is explained. Never from the environment, where it
    would differ between a shell and the daemon."""
    endpoint_url: HttpUrl | None = None
    """Instead of the region's public endpoint: a VPC endpoint, or an imitation in tests."""
    allow_insecure_loopback: bool = False
