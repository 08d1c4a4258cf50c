"""The JSON of an access token, the same bytes on the socket and in a file.

Owns: the member names, their order and their rounding (docs/interface.md 4 and 7). Refuses to know: who
asks and what time it is; the socket adds `expires_in` and `state`, which depend on both.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Final

from broker.model import Revision

MEMBERS: Final = (
    "name",
    "access_token",
    "token_type",
    "expires_at",
    "issued_at",
    "scope",
    "revision",
    "fingerprint",
)
"""What `members` answers, in its order."""

_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


def members(name: str, revision: Revision) -> dict[str, object]:
    """Members that stay the same as long as the revision does; times in Unix seconds, rounded down."""
    token = revision.token
    return {
        "name": name,
        "access_token": token.value.reveal(),
        "token_type": token.token_type,
        "expires_at": math.floor(token.expires_at),
        "issued_at": math.floor(token.issued.wall),
        "scope": None if token.scope is None else " ".join(token.scope),
        "revision": revision.number,
        "fingerprint": token.fingerprint,
    }


def encode(document: Mapping[str, object]) -> bytes:
    """Compact ASCII JSON without a newline."""
    return _ENCODER.encode(document).encode("ascii")
