"""The table of `status`: a row a token, its life as a bar, below it the reason where something is wrong.

Owns: columns, bars, colours. Refuses to know: where records come from; they are taken as text from outside,
and nothing in them can steer the terminal. Draws without a library: loading one takes longer than all the
rest of the verb.
"""

from collections.abc import Mapping, Sequence
from typing import TextIO

from broker.cli.durations import spoken

_HEADINGS = ("NAME", "STATE", "CONDITION", "REMAINING", "NEXT RENEWAL", "SECRET VERSION", "LAST ERROR")
_BAR_CELLS = 12
_EIGHTHS = "▏▎▍▌▋▊▉█"
_MAX_VERSION_CHARACTERS = 14
_COLOURS = {"fresh": "32", "stale": "33", "expired": "31", "absent": "31"}
_STATE, _REMAINING = 1, 3

Record = Mapping[str, object]


class Style:
    """What the output can show: colours, and characters beyond ASCII."""

    def __init__(self, *, colour: bool, unicode: bool) -> None:
        self.colour = colour
        self.unicode = unicode

    def paint(self, text: str, code: str) -> str:
        """`text` in an ANSI colour, or as it is."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and text.strip() else text


def style_for(stream: TextIO, environment: Mapping[str, str]) -> Style:
    """Colours on a terminal only, and not against NO_COLOR; blocks where the encoding has them."""
    colour = stream.isatty() and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
    return Style(colour=colour, unicode=stream.encoding.lower().replace("-", "") == "utf8")


def life_table(records: Sequence[Record], *, now: float, style: Style) -> str:
    """The whole table; `now` in Unix seconds."""
    if not records:
        return "no tokens that this user may read\n"
    rows = [_row(record, now, style) for record in records]
    widths = [max(map(len, column)) for column in zip(_HEADINGS, *rows, strict=True)]
    lines = [style.paint(_line(_HEADINGS, widths), "2")]
    for record, row in zip(records, rows, strict=True):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        colour = _COLOURS.get(row[_STATE], "0")
        for column in (_STATE, _REMAINING):
            cells[column] = style.paint(cells[column], colour)
        lines.append("  ".join(cells).rstrip())
        reason = _text(record.get("reason"))
        if reason and (record.get("condition") != "ok" or row[_STATE] != "fresh"):
            lines.append(f"  {'└' if style.unicode else '`'} {reason}")
    return "".join(f"{line}\n" for line in lines)


def _row(record: Record, now: float, style: Style) -> tuple[str, ...]:
    version = _text(record.get("secret_version"))
    if len(version) > _MAX_VERSION_CHARACTERS:
        version = version[: _MAX_VERSION_CHARACTERS - 2] + ".."
    next_renewal = _number(record.get("next_renewal_at"))
    due = "" if next_renewal is None else "due" if next_renewal <= now else f"in {spoken(next_renewal - now)}"
    return (
        _text(record.get("name")),
        _text(record.get("state")),
        _text(record.get("condition")),
        _life(record, now, style),
        due or "-",
        version or "-",
        _text(record.get("last_error")) or "-",
    )


def _life(record: Record, now: float, style: Style) -> str:
    issued_at, expires_at = _number(record.get("issued_at")), _number(record.get("expires_at"))
    if issued_at is None or expires_at is None or expires_at <= issued_at:
        return "-"
    left = expires_at - now
    share = min(1.0, max(0.0, left / (expires_at - issued_at)))
    return f"{_bar(share, style)} {spoken(left)}"


def _bar(share: float, style: Style) -> str:
    if not style.unicode:
        return f"[{'#' * round(share * _BAR_CELLS):.<{_BAR_CELLS}}]"
    full, eighths = divmod(round(share * _BAR_CELLS * 8), 8)
    return f"{'█' * full + (_EIGHTHS[eighths - 1] if eighths else ''):░<{_BAR_CELLS}}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _text(value: object) -> str:
    """Text from outside as one printable line; empty for what is no text."""
    if not isinstance(value, str):
        return ""
    return " ".join("".join(c if c.isprintable() else " " for c in value).split())


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
