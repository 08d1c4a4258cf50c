"""The main file and those it includes, as one tree.

Owns: which files `include` names, that tables merge and keys do not. Refuses to know: what keys mean.
"""

from __future__ import annotations

import glob
from pathlib import Path
from typing import Any, Final

from broker.config import documents
from broker.config.documents import DocumentFault
from broker.config.faults import Faults, join

INCLUDE: Final = "include"


def read(path: Path, faults: Faults) -> dict[str, Any] | None:
    """The merged tables, `include` among them; None if a file cannot be used, once all such are named."""
    try:
        tree = documents.read(path)
    except DocumentFault as error:
        faults.add(error.fault.path, error.fault.message)
        return None
    merged, complete = _Merged(faults), True
    merged.add(tree, str(path))
    for included in _included(path, tree.get(INCLUDE)):
        try:
            addition = documents.read(included)
        except DocumentFault as error:
            faults.add(error.fault.path, error.fault.message)
            complete = False
            continue
        if addition.pop(INCLUDE, None) is not None:
            where = f"{included}: {INCLUDE}"
            faults.add(where, "an included file includes no others; name them in the main file")
        merged.add(addition, str(included))
    return merged.tree if complete else None


def _included(path: Path, patterns: object) -> list[Path]:
    """The files in order, each once. Anything but an array of texts is left to the decoder's complaint."""
    found: dict[Path, None] = {}
    for pattern in patterns if isinstance(patterns, list) else ():
        if not isinstance(pattern, str) or "\0" in pattern:
            continue
        if not glob.has_magic(pattern):
            found[path.parent / pattern] = None
            continue
        # Path.glob refuses absolute patterns.
        names = sorted(glob.glob(pattern, root_dir=path.parent))  # noqa: PTH207 - see above
        found.update((path.parent / name, None) for name in names if (path.parent / name) != path)
    return list(found)


class _Merged:
    """A tree that remembers which file gave each key."""

    def __init__(self, faults: Faults) -> None:
        self.tree: dict[str, Any] = {}
        self._faults = faults
        self._origins: dict[str, str] = {}

    def add(self, addition: dict[str, Any], origin: str) -> None:
        self._merge(self.tree, addition, "", origin)

    def _merge(self, into: dict[str, Any], addition: dict[str, Any], path: str, origin: str) -> None:
        for key, value in addition.items():
            at = join(path, key)
            if key not in into:
                into[key] = {} if isinstance(value, dict) else value
                self._origins[at] = origin
            elif not (isinstance(value, dict) and isinstance(into[key], dict)):
                self._faults.add(at, f"given in {self._origins[at]} and in {origin}; remove one")
                continue
            if isinstance(value, dict):
                self._merge(into[key], value, at, origin)
