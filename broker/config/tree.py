"""What a parsed document may be, whichever spelling it came from.

Owns: how deep it may nest, and the value that stands for one that readers disagree about. Refuses to know: TOML, YAML.
"""

from __future__ import annotations

from typing import Final, final

MAX_DEPTH: Final = 32


@final
class Ambiguous:
    """A plain scalar whose meaning depends on the reader. Holds nothing."""
