"""Telling a program that there is something new in a token file: `on_change`.

Owns: its keys, what of them is a mistake, the order of signal and program, what a program is told (docs/interface.md 7,
"Hooks"). Refuses to know: when it is called and how often; how a process is found (`pid_files`) or run (`programs`).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from typing import Final, Literal

import msgspec

from broker.api import Fault, FilePath, Publication
from broker.sinks.pid_files import PidFile
from broker.sinks.programs import Program
from broker.sinks.told import Told

DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

SignalName = Literal["HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "WINCH", "CONT"]


class OnChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`on_change`: a signal, a program, or the one and then the other. A failure undoes nothing; it is tried again."""

    signal: SignalName | None = None
    """Sent to the process that `pid_file` names."""
    pid_file: FilePath | None = None
    """Believed only if it belongs to root, the broker or the process's own user, and nobody else may write it."""
    exec: tuple[str, ...] = ()
    """A program and its arguments, without a shell; killed after 30 s with all that it started. Its environment is PATH
    (the broker's own), TOKEN_NAME, TOKEN_FILE and TOKEN_REVISION; what it prints is thrown away."""


def faults(options: OnChange) -> Iterator[Fault]:
    """What types cannot say of these keys."""
    if options.signal is None and options.pid_file is None and not options.exec:
        yield Fault("on_change", "says nothing; give signal and pid_file, or exec")
    if options.signal is not None and options.pid_file is None:
        yield Fault(
            "on_change.pid_file", "required with signal: the file in which the program keeps its number"
        )
    if options.pid_file is not None and options.signal is None:
        yield Fault("on_change.signal", 'required with pid_file, such as "HUP"')
    if options.exec:
        program = options.exec[0]
        if not program or ("/" in program and not program.startswith("/")):
            yield Fault(
                "on_change.exec[0]", "must be the absolute path of a program, or a name that PATH leads to"
            )
        for index, argument in enumerate(options.exec):
            if "\0" in argument:
                yield Fault(f"on_change.exec[{index}]", "has a NUL, which no argument of a program may have")


class FileHook:
    """Implements `broker.ports.ChangeHook`; `content` says what a publication puts into the file at `path`."""

    def __init__(self, options: OnChange, *, path: str, content: Callable[[Publication], bytes]) -> None:
        self._options = options
        self._path = path
        self._content = content
        self._told = Told(path)
        self._pid_file = PidFile(options.pid_file) if options.pid_file is not None else None
        self._program = Program(options.exec) if options.exec else None

    def tell(self, publication: Publication) -> None:
        """Signal, then run. Raises HookError for the first that fails."""
        if self._options.signal is not None and self._pid_file is not None:
            self._pid_file.send(signal.Signals[f"SIG{self._options.signal}"])
        if self._program is not None:
            self._program.run(
                {
                    "PATH": os.environ.get("PATH") or DEFAULT_PATH,
                    "TOKEN_NAME": publication.token_name,
                    "TOKEN_FILE": self._path,
                    "TOKEN_REVISION": str(publication.revision.number),
                }
            )
        self._told.remember(self._content(publication))

    def close(self) -> None:
        if self._program is not None:
            self._program.stop()
