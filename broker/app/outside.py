"""What the running parts are built upon: the network, the threads, the clocks, the plug-ins.

Owns: the one place where the real ones are chosen; a simulation puts its own world here. Refuses to know: what is
built.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from broker import __version__
from broker.api import ClientAuthPlugin, SecretBackendPlugin, TokenSinkPlugin
from broker.config.schema import AuthorizationServerTable
from broker.core.cache.storage import CacheStorage
from broker.infra.boot import boot_id
from broker.infra.clock import SystemClock
from broker.infra.http import HttpxTransport
from broker.infra.state_files import StateFiles
from broker.infra.threads import CROWD_SIZE, SLOW_SECONDS, DaemonThreadPool
from broker.plugins import Plugins
from broker.ports import BlockingRunner, Clock, HttpTransport, Observer

USER_AGENT = f"token-broker/{__version__}"


class PluginSource(Protocol):
    """Where descriptors come from by name. Raises PluginError."""

    def secret_backend(self, name: str) -> SecretBackendPlugin:
        """Of the group `token_broker.secret_backends`."""
        ...

    def sink(self, name: str) -> TokenSinkPlugin:
        """Of the group `token_broker.sinks`."""
        ...

    def client_auth(self, name: str) -> ClientAuthPlugin:
        """Of the group `token_broker.client_auth`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What the parts are built upon; a simulation puts its own world here."""

    plugins: PluginSource
    transport: Callable[[AuthorizationServerTable], HttpTransport]
    threads: Callable[[str], BlockingRunner]
    """For the calls of one party."""
    crowd_threads: Callable[[str], BlockingRunner]
    """For those of many that have nothing to do with each other."""
    clock: Clock
    observer: Observer
    rng: random.Random
    state_files: Callable[[str], CacheStorage] = StateFiles
    """The files of the token cache below a state directory."""
    boot_id: str | None = None
    """While it is the same, the boot clock of an earlier process goes on; None where nobody knows."""


def real_outside(*, plugins: Plugins, observer: Observer) -> Outside:
    """The network, the clocks and the threads of this machine."""
    return Outside(
        plugins=plugins,
        transport=lambda table: HttpxTransport(ca_file=table.ca_file, user_agent=USER_AGENT),
        threads=lambda name: DaemonThreadPool(name, observer=observer),
        crowd_threads=lambda name: DaemonThreadPool(
            name, size=CROWD_SIZE, slow_seconds=SLOW_SECONDS, observer=observer
        ),
        clock=SystemClock(),
        observer=observer,
        rng=random.SystemRandom(),
        boot_id=boot_id(),
    )
