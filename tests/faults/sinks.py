"""Sinks of a third party that do everything wrong.

Owns: their source, and its installation into a directory for PYTHONPATH. Refuses to know: what a daemon makes of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

WAYS: Final = {
    "hang": "threading.Event().wait()",
    "runtime_error": "raise RuntimeError('S3CR3T-in-an-exception')",
    "exit": "raise SystemExit('S3CR3T-at-an-exit')",
    "sink_error": "raise SinkError('acme: it is full: empty it')",
    "wrong_type": "return 'yes'",
}
"""What `publish` does, as source, by name; each is an option of the plug-in."""

_SOURCE = """
import threading

import msgspec

from broker.api import SinkError, TokenSinkPlugin

class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    way: str
    number: int = 0

class Exploding:
    def __init__(self, options, context):
        self.publish = getattr(self, "_" + options.way)

    def withdraw(self):
        self.publish(None)

    def close(self):
        self.publish(None)
{ways}
plugin = TokenSinkPlugin(
    options=Options, create=Exploding, target=lambda options: f"exploding {{options.way}} {{options.number}}"
)
"""


def install(directory: Path) -> dict[str, str]:
    """Put them below `directory`; the environment in which sinks of type "exploding" are found."""
    site = directory / "site"
    info = site / "acme_sinks-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-sinks\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[token_broker.sinks]\nexploding = acme_sinks:plugin\n")
    ways = "".join(f"\n    def _{name}(self, publication):\n        {does}\n" for name, does in WAYS.items())
    (site / "acme_sinks.py").write_text(_SOURCE.format(ways=ways))
    return {"PYTHONPATH": str(site)}


def table(way: str, number: int = 0, *, token: str = "deploy") -> str:
    """`[[tokens.TOKEN.sinks]]`."""
    return f'\n[[tokens.{token}.sinks]]\ntype = "exploding"\nway = "{way}"\nnumber = {number}\n'
