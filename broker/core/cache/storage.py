"""The files of the cache, as this room asks for them.

Owns: the Protocol. Refuses to know: file systems; `broker.infra.state_files` implements it,
a simulation keeps a dictionary.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from broker.model import Secret


class CacheStorage(Protocol):
    """One sealed entry per managed token. Synchronous and thread-safe. Raises only BrokerError, naming the file."""

    def read(self, name: str) -> bytes | None:
        """The whole entry, None if there is none. A file that is not plainly ours is refused unread."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Replace the entry as a whole, and for good: after a power cut the old or the new one is there."""
        ...

    def remove(self, name: str) -> None:
        """Remove the entry; nothing to remove is fine."""
        ...

    def remove_all_but(self, names: Collection[str]) -> None:
        """Remove entries of ours under other names, and what an interrupted write left."""
        ...

    def place(self, name: str) -> str:
        """What an entry is called in messages: its path."""
        ...

    def read_key(self, path: str, *, warn: Callable[[str], None]) -> Secret:
        """The text of a key file, small and regular; `warn` is told if everybody can read it."""
        ...
