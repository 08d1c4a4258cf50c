"""The status page: one plain table for a browser.

Owns: HTML and its escaping. Refuses to know: tokens; it is made of records only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape

from broker.model import TokenRecord

CONTENT_TYPE = "text/html; charset=utf-8"
HEADERS = (
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
)

_COLUMNS = ("name", "state", "condition", "left", "expires", "next renewal", "revision", "secret", "reason")
_STYLE = (
    "body{font:14px system-ui,sans-serif;margin:2em}table{border-collapse:collapse}"
    "td,th{text-align:left;padding:.3em .8em;border-bottom:1px solid #ccc}"
    ".absent,.expired{color:#b00020}.stale{color:#9a6700}.fresh{color:#1a7f37}"
)


def render(records: Iterable[TokenRecord], *, wall: float) -> bytes:
    """The page as of this wall-clock time."""
    rows = "".join(_row(record, wall) for record in records)
    head = "".join(f"<th>{escape(column)}</th>" for column in _COLUMNS)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>token-broker</title>'
        f"<style>{_STYLE}</style></head><body><h1>token-broker</h1><table><tr>{head}</tr>{rows}</table>"
        f"<p>{_time(wall)} · <a href='/metrics'>metrics</a> · <a href='/readyz'>readiness</a></p>\n"
    ).encode()


def _row(record: TokenRecord, wall: float) -> str:
    left = "" if record.expires_at is None else f"{max(0, math.floor(record.expires_at - wall))} s"
    cells = (
        record.name,
        record.state,
        record.condition,
        left,
        _time(record.expires_at),
        _time(record.next_renewal_at),
        str(record.revision),
        record.secret_version or "",
        record.reason,
    )
    return (
        f'<tr class="{escape(record.state)}">'
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        + "</tr>"
    )


def _time(wall: float | None) -> str:
    return "" if wall is None else datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
