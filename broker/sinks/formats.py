"""What a token file contains, byte for byte (docs/interface.md 7, "Bytes").

Owns: the formats. Refuses to know: files, modes, who reads them.
"""

from __future__ import annotations

from typing import Literal, assert_never

from broker import token_json
from broker.api import Publication

Format = Literal["raw", "raw-newline", "json", "header", "env"]


def render(publication: Publication, *, format: Format, variable: str) -> bytes:  # noqa: A002 - the key's name
    """The whole content of the file. `variable` is the name that format env assigns."""
    token = publication.revision.token.value.reveal_bytes()
    match format:
        case "raw":
            return token
        case "raw-newline":
            return token + b"\n"
        case "json":
            document = token_json.members(publication.token_name, publication.revision)
            return token_json.encode(document) + b"\n"
        case "header":
            return b"Authorization: Bearer " + token + b"\n"
        case "env":
            return variable.encode("ascii") + b"=" + token + b"\n"
        case _:
            assert_never(format)
