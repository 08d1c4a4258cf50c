"""Distributions of third parties, as an installer leaves them in a directory.

Owns: their metadata, entry points and modules. Refuses to know: what is made of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

BACKENDS = "token_broker.secret_backends"
SINKS = "token_broker.sinks"
CLIENT_AUTH = "token_broker.client_auth"

GOOD_MODULE = """
import msgspec
from broker.api import Secret, SecretBackendPlugin, SecretDocument

class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass

class Backend:
    def __init__(self, options, context):
        pass

    def read(self, path, *, timeout_seconds):
        return SecretDocument(fields={{"client_secret": Secret("S3CR3T-acme")}})

    def close(self):
        pass

plugin = SecretBackendPlugin(options=Options, create=Backend{more})
"""


def distribution(site: Path, name: str, entry_points: Mapping[str, list[str]], **modules: str) -> Path:
    """Put a distribution of version 1.2 there: its entry points as `group -> lines`, the source of its modules."""
    info = site / f"{name.replace('-', '_')}-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    sections = ("\n".join([f"[{group}]", *lines]) for group, lines in entry_points.items())
    (info / "entry_points.txt").write_text("\n".join(sections) + "\n")
    for module, source in modules.items():
        (site / f"{module}.py").write_text(source)
    return site
