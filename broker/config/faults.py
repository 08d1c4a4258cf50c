"""The faults found so far, each with its key path, and the words that lead from a mistake to the fix.

Owns: how a key path is written, that one mistake gives one line, "did you mean". Refuses to know: values.
Nothing in this room hands a value to a message; names of keys and of configured things are what an operator
needs.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from typing import Final

from broker.errors import Fault

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_SHOWN_KEY_CHARACTERS: Final = 64
_SHOWN_NAMES: Final = 24


def join(path: str, key: str) -> str:
    """The path of `key` in the table at `path`; quoted if not a bare TOML key, and kept short."""
    short = key if len(key) <= _SHOWN_KEY_CHARACTERS else f"{key[:_SHOWN_KEY_CHARACTERS]}..."
    shown = short if _BARE_KEY.fullmatch(short) else json.dumps(short)
    return f"{path}.{shown}" if path else shown


def item(path: str, index: int) -> str:
    """The path of an item of the array at `path`."""
    return f"{path}[{index}]"


def suggest(word: str, known: Iterable[str], *, none: str) -> str:
    """The end of a message about an unknown word: the nearest known one, else all, else `none`."""
    names = sorted(known)
    if not names:
        return none
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if near:
        return f'did you mean "{near[0]}"?'
    shown = ", ".join(names[:_SHOWN_NAMES])
    return f"one of {shown}" + (", ..." if len(names) > _SHOWN_NAMES else "")


class Faults:
    """Collects faults in the order found.

    A value that could not be read is *broken*: a stand-in takes its place so that everything else is still
    checked, and what is said about the stand-in is not reported.
    """

    def __init__(self) -> None:
        self._found: dict[str, Fault] = {}
        self._broken: set[str] = set()

    def broken(self, path: str, message: str | None = None) -> None:
        """The value at `path` cannot be used; without a message where a line about it was added already."""
        if message is not None:
            self.add(path, message)
        self._broken.add(path)

    def add(self, path: str, message: str) -> None:
        """A fault of a value; dropped if it or a table around it is broken, or it has its line already."""
        if path not in self._found and not self._is_broken(path):
            self._found[path] = Fault(path, message)

    def intact(self, *paths: str) -> bool:
        """Whether nothing at, around or below `paths` is broken: an absence there is what was written."""
        return not any(
            self._is_broken(path)
            or any(broken.startswith((f"{path}.", f"{path}[")) for broken in self._broken)
            for path in paths
        )

    def all(self) -> tuple[Fault, ...]:
        """Every fault."""
        return tuple(self._found.values())

    def _is_broken(self, path: str) -> bool:
        ends = (end for end, character in enumerate(path) if character in ".[")
        return path in self._broken or any(path[:end] in self._broken for end in ends)
