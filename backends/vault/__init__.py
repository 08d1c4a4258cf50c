"""HashiCorp Vault and OpenBao: the key/value engines, versions 1 and 2.

Owns: the descriptor. hvac is loaded when a backend first calls its server, botocore at a login by method aws.
"""

from __future__ import annotations

from backends.vault.checks import check
from backends.vault.options import VaultOptions
from broker.api import PluginContext, SecretBackend, SecretBackendPlugin


def create(options: VaultOptions, context: PluginContext) -> SecretBackend:
    """A backend that logs in at its first read."""
    from backends.vault.backend import VaultBackend

    return VaultBackend(options, context)


plugin = SecretBackendPlugin(
    options=VaultOptions,
    create=create,
    check=check,
    capabilities=frozenset({"versions", "cheap_version_check", "expiry"}),
)
