"""What the daemon logs, told as a story: one line an event.

Owns: the words. Refuses to know: processes, files. Tells neither tokens nor secrets: its source has none.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TextIO

_GREEN, _YELLOW, _MAGENTA, _CYAN = 32, 33, 35, 36
_COLOURS = {
    **dict.fromkeys(("minted", "published", "renewed", "recovered"), _GREEN),
    **dict.fromkeys(("rotated", "stored"), _MAGENTA),
    "noticed": _CYAN,
}
_QUIET = frozenset({"debug", "info"})

Record = Mapping[str, object]


class Narrator:
    """Tells records and what the scene does, with the seconds since the start."""

    def __init__(
        self,
        out: TextIO,
        *,
        elapsed_seconds: Callable[[], float],
        wall_seconds: Callable[[], float],
        shown: Callable[[str], str],
        colour: bool,
    ) -> None:
        """`shown` writes a path as one would type it."""
        self._out = out
        self._wall_seconds = wall_seconds
        self._shown = shown
        self._elapsed_seconds = elapsed_seconds
        self._colour = colour
        self._revision = 0
        self._expires_at = 0.0
        self._troubled = False

    def say(self, text: str) -> None:
        """A line of its own."""
        self._out.write(f"{text}\n")
        self._out.flush()

    def tell(self, what: str, text: str) -> None:
        """One event."""
        word = f"{what:<10}"
        if self._colour:
            word = f"\x1b[{_COLOURS.get(what, _YELLOW)}m{word}\x1b[0m"
        self.say(f"{self._elapsed_seconds():5.0f} s  {word} {text}")

    def hear(self, record: Record) -> None:
        """One log record; what is not part of the story is told only if it is a warning."""
        match record.get("event"):
            case "mint_succeeded":
                self._minted(record)
            case "mint_failed":
                self._failed(record)
            case "published" if record.get("outcome") == "success":
                self.tell("published", self._shown(str(record.get("target"))))
            case "secret_rotated":
                self.tell(
                    "noticed", "the broker sees that there is another client secret, and uses it at once"
                )
            case "state_changed" if record.get("state") != "expired":
                pass  # the mints tell it better
            case "life_cycle":
                pass
            case _ if record.get("level") not in _QUIET:
                self.tell(str(record.get("level")), str(record.get("message")))

    def _failed(self, record: Record) -> None:
        self._troubled = True
        # The message goes on with the fix, which here is part of the plot.
        self.tell("refused", str(record.get("message")).partition(":")[0])
        left = self._expires_at - self._wall_seconds()
        if left > 0:
            self.tell(
                "kept", f"revision {self._revision} stays published, and valid for another {left:.0f} s"
            )

    def _minted(self, record: Record) -> None:
        revision, issued_at = _number(record.get("revision")), _number(record.get("issued_at"))
        left = self._expires_at - issued_at
        if revision == 1:
            self.tell("minted", f"revision 1, an access token that lives {record.get('expires_in')} s")
        elif self._troubled:
            self.tell("recovered", f"revision {revision:.0f}, minted with the new secret")
        else:
            self.tell("renewed", f"revision {revision:.0f}; its predecessor had {left:.0f} s left")
        self._troubled = False
        self._revision, self._expires_at = int(revision), _number(record.get("expires_at"))


def parse(line: bytes) -> Record | str:
    """A line of the daemon's standard error: a log record, or text that was no record."""
    text = line.decode(errors="replace").rstrip("\n")
    try:
        record = json.loads(text)
    except ValueError:
        return text
    return record if isinstance(record, dict) else text


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
