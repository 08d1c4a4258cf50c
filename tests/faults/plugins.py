"""A secret backend of a third party that does everything wrong.

Owns: its source, and its installation into a directory for PYTHONPATH. Refuses to know: what a daemon makes of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Way:
    """What a call does, as source, and how the daemon tells it."""

    does: str
    words: str
    condition: str = "backend_unreachable"


WAYS: Final = {
    "runtime_error": Way("raise RuntimeError('S3CR3T-in-an-exception')", "raised RuntimeError in read()"),
    "key_error": Way("raise KeyError('S3CR3T-in-a-key')", "raised KeyError in read()"),
    "memory_error": Way("raise MemoryError", "raised MemoryError in read()"),
    "recursion_error": Way("return self._explode()", "raised RecursionError in read()"),
    "group": Way(
        "raise ExceptionGroup('S3CR3T-in-a-group', [ValueError()])", "raised ExceptionGroup in read()"
    ),
    "exit": Way("raise SystemExit", "raised SystemExit in read()"),
    "time_out": Way("raise TimeoutError", "raised TimeoutError in read()"),
    "wrong_type": Way("return 42", "returned int from read(), which promises a broker.api.SecretDocument"),
    "library": Way(
        "import acme_sdk", "needs the library 'acme_sdk', which is not installed", "misconfigured"
    ),
    "hang": Way("threading.Event().wait()", "no answer within 12 s"),
}
"""By name; each is an option of the plug-in."""

_SOURCE = """
import threading

import msgspec

from broker.api import SecretBackendPlugin

class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    way: str

class Exploding:
    def __init__(self, way):
        self._explode = getattr(self, "_" + way)

    def read(self, path, *, timeout_seconds):
        return self._explode()

    def version(self, path, *, timeout_seconds):
        return self._explode()

    def close(self):
        return self._explode()
{ways}
plugin = SecretBackendPlugin(options=Options, create=lambda options, context: Exploding(options.way))
"""


def install(directory: Path) -> dict[str, str]:
    """Put it below `directory`; the environment in which type "exploding" is found."""
    site = directory / "site"
    info = site / "acme_exploding-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-exploding\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[token_broker.secret_backends]\nexploding = acme_exploding:plugin\n"
    )
    ways = "".join(f"\n    def _{name}(self):\n        {way.does}\n" for name, way in WAYS.items())
    (site / "acme_exploding.py").write_text(_SOURCE.format(ways=ways))
    return {"PYTHONPATH": str(site)}


def backend(way: str) -> str:
    """`[secret_backends.WAY]`."""
    return f"""
[secret_backends.{way}]
type = "exploding"
way = "{way}"
"""
