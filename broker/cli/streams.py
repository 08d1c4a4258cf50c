"""The standard streams, as verbs use them.

Owns: whole writes to standard output, and one-line messages on standard error. Refuses to know: what is said.
"""

import sys


def put(data: bytes) -> None:
    """Write `data` to standard output and see it through. Raises OSError."""
    if sys.stdout is None:
        raise OSError("standard output is closed")
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def complain(message: str) -> None:
    """One line on standard error, without anything that could steer a terminal."""
    line = "".join(character if character.isprintable() else " " for character in message)
    if sys.stderr is not None:
        sys.stderr.write(f"{line}\n")
