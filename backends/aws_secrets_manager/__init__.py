"""AWS Secrets Manager.

Owns: the descriptor. boto3 is loaded when a backend is made.
"""

from __future__ import annotations

from backends.aws_secrets_manager.checks import check
from backends.aws_secrets_manager.options import SecretsManagerOptions
from broker.api import PluginContext, SecretBackend, SecretBackendPlugin


def create(options: SecretsManagerOptions, context: PluginContext) -> SecretBackend:
    """A backend that looks for credentials at its first read."""
    from backends.aws_secrets_manager.backend import SecretsManagerBackend

    return SecretsManagerBackend(options, context)


plugin = SecretBackendPlugin(
    options=SecretsManagerOptions,
    create=create,
    check=check,
    capabilities=frozenset({"versions", "cheap_version_check", "batch"}),
)
