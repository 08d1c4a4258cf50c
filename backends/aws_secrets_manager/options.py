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
    profile: str | None = None
    """A profile of ~/.aws/config or ~/.aws/credentials to take credentials from; keys in the environment do not
    count then."""
    role_arn: str | None = None
    """A role to assume with the credentials that are found; its own are renewed before they expire."""
    external_id: str | None = None
    """What the trust policy of the role compares with sts:ExternalId; not a secret."""
    endpoint_url: HttpUrl | None = None
    """Instead of the region's public endpoint: a VPC endpoint, or an imitation of AWS on this host, which is then
    asked for roles as well."""
    use_fips: bool = False
    """Ask the region's endpoints that use validated cryptography."""
    use_dualstack: bool = False
    """Ask the region's endpoints that have IPv6 as well."""
    allow_insecure_loopback: bool = False
