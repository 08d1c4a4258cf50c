"""AWS Secrets Manager.

Owns: the descriptor. boto3 is loaded when a backend first calls AWS.
"""

from __future__ import annotations

import re

from backends.aws_secrets_manager.options import SecretsManagerOptions
from broker.api import Fault, PluginContext, SecretBackend, SecretBackendPlugin

_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-[0-9]+")


def create(options: SecretsManagerOptions, context: PluginContext) -> SecretBackend:
    """A backend that looks for credentials at its first read."""
    from backends.aws_secrets_manager.backend import SecretsManagerBackend

    return SecretsManagerBackend(options, context)


def check(options: SecretsManagerOptions) -> tuple[Fault, ...]:
    """What the types of the options cannot express."""
    if options.region is None:
        why = 'required: the AWS region that holds the secrets, such as "eu-west-1"'
        return (Fault("region", f"{why}; AWS_REGION and profiles have no effect"),)
    if not _REGION.fullmatch(options.region):
        return (Fault("region", 'not the name of an AWS region, such as "eu-west-1"'),)
    return ()


plugin = SecretBackendPlugin(
    options=SecretsManagerOptions,
    create=create,
    check=check,
    capabilities=frozenset({"versions", "cheap_version_check"}),
)
