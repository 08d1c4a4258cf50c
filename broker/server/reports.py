"""A report that an API refused a token: the body of POST .../reject (docs/interface.md 4).

Owns: what such a body may hold. Refuses to know: who reports, and what a report is worth.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from broker.errors import ProtocolError
from broker.oauth.strict_json import loads_object

_FINGERPRINT = re.compile(r"[0-9a-fA-F]{16}", re.ASCII)


class InvalidReport(ValueError):
    """The body is no report; the text says why and holds nothing that was sent."""


@dataclass(frozen=True, slots=True)
class Report:
    """The fingerprint of the refused token, and when it was used, in Unix seconds; None for now."""

    fingerprint: str
    requested_at: float | None


def parse(body: bytes) -> Report:
    """Read a report; members that we do not know are ignored. Raises InvalidReport."""
    try:
        members = loads_object(body, what="the body")
    except ProtocolError as error:
        raise InvalidReport(error.message) from None
    fingerprint, requested_at = members.get("fingerprint"), members.get("requested_at")
    if not isinstance(fingerprint, str) or not _FINGERPRINT.fullmatch(fingerprint):
        raise InvalidReport(
            "the member fingerprint must be the first 16 hex digits of the SHA-256 of the token"
        )
    if requested_at is not None and not _is_number(requested_at):
        raise InvalidReport("the member requested_at must be a number of Unix seconds")
    return Report(fingerprint.lower(), requested_at)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
