"""The companion of a token file: what is known about the token, without the token (R-123).

Owns: its members. Refuses to know: files. Written after the token, so that `fingerprint` of a reader that finds another
one in the token file tells it that a newer description is about to come.
"""

from __future__ import annotations

from broker import token_json
from broker.api import Publication


def render(publication: Publication) -> bytes:
    """One line of JSON: the members of format json but the token, and `secret_version` (null if there are none)."""
    revision = publication.revision
    described = token_json.members(publication.token_name, revision)
    del described["access_token"]
    described["secret_version"] = revision.token.secret_version
    return token_json.encode(described) + b"\n"
