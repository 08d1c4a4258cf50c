"""Paths as the file gives them, made absolute.

Owns: the three variables of systemd that expand in paths, the base of relative paths. Refuses to know:
whether anything is there, which is a condition at run time and a line of `check`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

VARIABLES: Final[Mapping[str, str]] = {
    "CREDENTIALS_DIRECTORY": "LoadCredential=",
    "RUNTIME_DIRECTORY": "RuntimeDirectory=",
    "STATE_DIRECTORY": "StateDirectory=",
}
"""The variables that expand, and the setting of a systemd unit that sets each."""

_REFERENCE: Final = re.compile(r"\$\{([^}]*)\}")
_VARIABLE_NAME: Final = re.compile(r"[A-Z_][A-Z0-9_]{0,63}", re.ASCII)


class PathFault(ValueError):
    """The text is not a usable path; the message has no part of it but a variable's name."""


@dataclass(frozen=True, slots=True)
class PathResolver:
    """Expands and resolves; `environment` is the broker's own, `base` an absolute directory."""

    environment: Mapping[str, str]
    base: str

    def resolve(self, text: str) -> str:
        """The absolute path without `.` and `..`. Raises PathFault."""
        if not text.strip():
            raise PathFault("must not be empty")
        if not text.isprintable():
            raise PathFault("has a character that does not belong in a path")
        if text.startswith("~"):
            raise PathFault("~ does not expand here; write the whole path")
        expanded = _REFERENCE.sub(self._expand, text)
        if "${" in expanded:
            raise PathFault("has a ${ without its }")
        # normpath keeps a leading pair of slashes, which POSIX lets mean something else.
        # Strings throughout: pathlib does not fold `..`.
        return "/" + os.path.normpath(os.path.join(self.base, expanded)).lstrip("/")  # noqa: PTH118 - see above

    def _expand(self, reference: re.Match[str]) -> str:
        name = reference[1]
        if name not in VARIABLES:
            shown = f"${{{name}}}" if _VARIABLE_NAME.fullmatch(name) else "this variable"
            allowed = ", ".join(f"${{{variable}}}" for variable in VARIABLES)
            raise PathFault(f"{shown} does not expand in paths; only {allowed} do")
        # A unit may have several runtime or state directories; systemd joins them with colons.
        value = self.environment.get(name, "").split(":")[0]
        if not value:
            raise PathFault(
                f"${{{name}}} is not set: a unit with {VARIABLES[name]} has it; elsewhere write the path"
            )
        return value
