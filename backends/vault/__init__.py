"""HashiCorp Vault and OpenBao: the key/value engines, versions 1 and 2.

Owns: the descriptor. hvac is loaded when a backend first calls its server.
"""

from __future__ import annotations

from backends.vault.options import AppRole, VaultOptions
from broker.api import Fault, PluginContext, SecretBackend, SecretBackendPlugin


def create(options: VaultOptions, context: PluginContext) -> SecretBackend:
    """A backend that logs in at its first read."""
    from backends.vault.backend import VaultBackend

    return VaultBackend(options, context)


def check(options: VaultOptions) -> tuple[Fault, ...]:
    """What the types of the options cannot express."""
    faults = [] if options.mount.strip("/") else [Fault("mount", "must not be empty")]
    auth = options.auth
    if isinstance(auth, AppRole) and (auth.role_id is None) == (auth.role_id_file is None):
        faults.append(Fault("auth", "method approle takes one of role_id and role_id_file"))
    return tuple(faults)


plugin = SecretBackendPlugin(
    options=VaultOptions,
    create=create,
    check=check,
    capabilities=frozenset({"versions", "cheap_version_check"}),
)
