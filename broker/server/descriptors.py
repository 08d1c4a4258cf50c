"""The file descriptors that clients may not have: a reserve for the broker's own work (R-136, F-38).

Owns: the size of the reserve and where it begins. Refuses to know: who uses a descriptor. The kernel hands out
the lowest free number, so that clients who are kept below the reserve leave at least that many for mints, files
and look-ups, however low the limit and whenever it was lowered.
"""

from __future__ import annotations

import resource
from typing import Final

RESERVED: Final = 32


def client_limit() -> int:
    """Descriptors from this number on are the broker's own; the limit is read anew, as it may be changed."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = 2**31 if soft == resource.RLIM_INFINITY else soft
    return highest - RESERVED
