"""What is below one directory: links are followed as far as they stay inside, and nothing leads out.

Owns: finding and opening. Refuses to know: secrets, versions, the words for operators. Raises OSError, and Outside.

A path is resolved first and then opened from the directory down, component by component, without following any link:
one that is put in the way between the two steps is not followed out either.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

KUBERNETES_CURRENT = "..data"
"""The link that the kubelet swaps to replace all files of a mounted Secret at once."""

# A directory on the way need not be readable, only searchable; where O_PATH is unknown it must be both.
_ON_THE_WAY = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A pipe must not hold the thread.
_AT_THE_END = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Outside(Exception):
    """The path, or a link on it, does not stay inside; the message says which and what is allowed."""


@dataclass(frozen=True, slots=True)
class Place:
    """Something that was inside when it was looked for: `parts` lead from the real root to it, through no link."""

    root: str
    parts: tuple[str, ...]

    @property
    def path(self) -> Path:
        """Where it really is."""
        return Path(self.root, *self.parts)


class Tree:
    """The files below `directory`, which may be a link itself and may be swapped for another."""

    def __init__(self, directory: str) -> None:
        self._directory = Path(directory)

    def find(self, path: str) -> Place:
        """What this path names at the moment; of a mounted Secret, the generation that is current."""
        named = Path(path)
        if named.is_absolute() or ".." in named.parts or "\0" in path:
            raise Outside(f"{path!r}: must be relative to {self._directory}, without ..")
        place = self._directory / named
        current = place / KUBERNETES_CURRENT
        return self._followed(current if current.is_dir() else place)

    def entry(self, directory: Place, name: str) -> Place:
        """One of the things in a directory."""
        return self._followed(directory.path / name)

    def names(self, directory: Place, *, at_most: int) -> list[str]:
        """The files in a directory, sorted; one more than `at_most` stands for all the others.

        Names that start with `..` are the kubelet's, directories are other secrets.
        """
        names: list[str] = []
        with os.scandir(directory.path) as entries:
            for entry in entries:
                if not entry.name.startswith("..") and not entry.is_dir():
                    names.append(entry.name)
                if len(names) > at_most:
                    break
        return sorted(names)

    def open(self, place: Place) -> int:
        """A file descriptor of this file, whatever kind of file it is."""
        if not place.parts:
            return os.open(place.root, _AT_THE_END)
        *way, last = place.parts
        directory = os.open(place.root, _ON_THE_WAY)
        try:
            for part in way:
                inner = os.open(part, _ON_THE_WAY, dir_fd=directory)
                os.close(directory)
                directory = inner
            return os.open(last, _AT_THE_END, dir_fd=directory)
        finally:
            os.close(directory)

    def _followed(self, place: Path) -> Place:
        root, real = (os.path.realpath(each, strict=True) for each in (self._directory, place))
        if not Path(real).is_relative_to(root):
            raise Outside(f"{place}: a link leads out of {self._directory}")
        return Place(root, Path(real).relative_to(root).parts)
