"""What is said about tokens: the token itself, and records without it.

Owns: the members of a record and their rounding, the rule that an expired token is never served. Refuses to
know: who asks, clocks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from broker import token_json
from broker.model import Moment, TokenRecord
from broker.ports import TokenReader
from broker.server.http import Response


@dataclass(frozen=True, slots=True)
class Want:
    """How a caller wants a token: with this much life left, waiting for so long, as bare text."""

    min_valid: float
    wait: float
    text: bool


def token(reader: TokenReader, name: str, want: Want, now: Moment) -> Response | None:
    """The token, or None if it cannot be served with that much life left. KeyError for an unknown name."""
    revision = reader.revision(name)
    if revision is None:
        return None
    remaining = revision.token.remaining_seconds(now)
    if remaining <= 0 or remaining < want.min_valid:
        return None
    if want.text:
        content = revision.token.value.reveal_bytes()
        return Response(status=200, body=content, content_type="text/plain", route="get")
    document = token_json.members(name, revision)
    document["expires_in"] = math.floor(remaining)
    document["state"] = reader.state(name)
    return json_response(document, route="get")


def records(reader: TokenReader, names: Iterable[str], *, route: str) -> Response:
    """`{"tokens": [...]}` of these names, without tokens."""
    document = {"tokens": [record_members(reader.record(name)) for name in names]}
    return json_response(document, route=route)


def json_response(document: Mapping[str, object], *, route: str, status: int = 200) -> Response:
    """A document as an answer."""
    body = token_json.encode(document)
    return Response(status=status, body=body, content_type="application/json", route=route)


def record_members(record: TokenRecord) -> dict[str, object]:
    """The members of one record on the wire (docs/interface.md 7)."""
    return {
        "name": record.name,
        "state": record.state,
        "condition": record.condition,
        "reason": record.reason,
        "revision": record.revision,
        "issued_at": _whole(record.issued_at),
        "expires_at": _whole(record.expires_at),
        "next_renewal_at": _whole(record.next_renewal_at),
        "secret_version": record.secret_version,
        "last_error": record.last_error,
    }


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else math.floor(seconds)
