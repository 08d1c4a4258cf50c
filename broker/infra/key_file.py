"""A file with a key, read as it is now.

Owns: that it is small and regular, and a warning about one that everybody can read; symbolic links are followed,
because mounted Kubernetes Secrets are links. Refuses to know: what a key looks like.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from broker.errors import BrokerError
from broker.model import Secret

LONGEST_KEY_BYTES: Final = 4096


class StateFileRefused(BrokerError):
    """A file is not what it should be, or a call to the system failed; the message names both."""

    default_code = "state_file"


def read_key(path: str, *, warn: Callable[[str], None]) -> Secret:
    """The whole text. Raises StateFileRefused."""
    with explained(path):
        # O_NONBLOCK: a FIFO that nobody writes to must not hold us.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_size > LONGEST_KEY_BYTES:
                raise StateFileRefused(f"{path}: is no regular file of at most {LONGEST_KEY_BYTES} bytes")
            text = Secret(os.read(descriptor, LONGEST_KEY_BYTES))
        finally:
            os.close(descriptor)
    if status.st_mode & stat.S_IROTH:
        warn(f"{path} can be read by everybody (mode {stat.S_IMODE(status.st_mode):04o})")
    return text


@contextmanager
def explained(path: str) -> Iterator[None]:
    """What the system refuses, as a StateFileRefused."""
    try:
        yield
    except OSError as error:
        reason = "is a symbolic link" if error.errno == errno.ELOOP else error.strerror
        raise StateFileRefused(f"{path}: {reason}") from None
