"""Seconds as people read them.

Owns: the words. Refuses to know: what the time is for. (`options.seconds` reads the configuration's syntax.)
"""

from itertools import pairwise

_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def spoken(seconds: float) -> str:
    """The two largest units: `2d 03h`, `14m 05s`, `9s`; rounded down, never negative."""
    whole = max(0, int(seconds))
    for (unit, size), (lower_unit, lower_size) in pairwise(_UNITS):
        if whole >= size:
            return f"{whole // size}{unit} {whole % size // lower_size:02d}{lower_unit}"
    return f"{whole}s"
