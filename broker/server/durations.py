"""Durations in query strings: the configuration's syntax, so that `min_valid=60s` means the same everywhere.

Owns: that syntax as sent by a peer. Refuses to know: what the time is for.
"""

from __future__ import annotations

import re

_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)?", re.ASCII)
_SECONDS_PER_UNIT = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(text: str) -> float:
    """Seconds of `N(ms|s|m|h|d)`, or of a plain number. ValueError for anything else."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError("not a duration")
    return float(match[1]) * _SECONDS_PER_UNIT[match[2] or "s"]
