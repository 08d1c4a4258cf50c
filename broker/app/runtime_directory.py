"""The runtime directory while the daemon lives: somebody may delete it, or mount something over it (F-36).

Owns: when to look, and that the lock and the socket's name come back. Refuses to know: token files, which their sinks
publish again by themselves; how a lock is held or a socket bound.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import Protocol

from broker.app import process
from broker.config.schema import BrokerTable
from broker.errors import BrokerError, ConfigError
from broker.events import LifeCycle
from broker.ports import Observer

LOOK_SECONDS = 20.0
"""Files are looked at every 45 s; the socket is what more programs wait for."""


class Named(Protocol):
    """What has a name in the file system: the Unix server."""

    def restore_name(self) -> bool:
        """Take the name again where it is gone; whether that was so. Raises BrokerError."""
        ...


class RuntimeDirectory:
    """The directory of `[broker]`, whose lock `stack` holds."""

    def __init__(self, table: BrokerTable, stack: ExitStack, observer: Observer) -> None:
        self._table = table
        self._stack = stack
        self._observer = observer
        self._trouble = ""

    async def keep(self, server: Named) -> None:
        """For ever. Ends only by cancellation."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look(server)

    def look(self, server: Named) -> None:
        """Restore what is missing; each trouble is told once while it lasts."""
        trouble = ""
        try:
            restored = process.hold_again(self._table, self._stack)
            if server.restore_name() or restored:
                self._warn(f"{self._table.runtime_dir} or something in it was deleted, and is there again")
        except ConfigError as error:
            trouble = "; ".join(str(fault) for fault in error.faults)
        except BrokerError as error:
            trouble = error.message
        except OSError as error:
            trouble = f"broker.runtime_dir: {self._table.runtime_dir}: {error.strerror}"
        if trouble and trouble != self._trouble:
            self._warn(trouble)
        self._trouble = trouble

    def _warn(self, message: str) -> None:
        self._observer(LifeCycle(phase="warning", message=message))
