"""How much of a long proof is played: a short form in every run, the whole with ``SOAK=1`` (``make soak``)."""

from __future__ import annotations

import os


def scaled(*, short: int, whole: int) -> int:
    """``whole`` where the environment asks for a soak, else ``short``: rounds, reads, seconds, as the caller counts."""
    return whole if os.environ.get("SOAK") == "1" else short
