"""Files as a secret backend: development, systemd credentials, mounted Kubernetes Secrets.

Owns: the descriptor and the options.
"""

from __future__ import annotations

import msgspec

from broker.api import InputDirectory, PluginContext, SecretBackend, SecretBackendPlugin


class FileOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[secret_backends.NAME]` of type "file"."""

    directory: InputDirectory
    """What is below it can be read, and nothing else, wherever a link may point."""


def create(options: FileOptions, context: PluginContext) -> SecretBackend:
    """A backend that looks at the directory at its first read."""
    from backends.file.backend import FileBackend

    return FileBackend(options.directory, context)


plugin = SecretBackendPlugin(
    options=FileOptions, create=create, capabilities=frozenset({"versions", "cheap_version_check"})
)
