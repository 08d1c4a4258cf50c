"""The world around a simulated broker: authorization servers, secret backends, clocks, chance, and the record.

Owns: what there is and how it is wired. Refuses to know: the broker, what goes wrong when, what is right.
"""

from __future__ import annotations

import itertools
import logging
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from broker.events import Event, RenewalPlanned, SecretFetched
from tests.simulation.authorization_server import MARKER, RegisteredClient, SimulatedServer
from tests.simulation.checker import Checker
from tests.simulation.history import History
from tests.simulation.loop import Time
from tests.simulation.secret_store import SecretStore, SimulatedPlugins

LIFETIMES = (43_200, 43_200, 3_600, 900)
"""The customer's twelve hours, and lives short enough for every fault to meet many renewals."""
MOST_SERVERS = 2

RARE_BEAT_SECONDS = 30.0
"""Of the event loop's heartbeat, where no machine is suspended: it costs an eighth of a run."""


class World:
    """Everything outside of the broker."""

    def __init__(
        self, *, seed: int, tokens: int, directory: Path, lifetimes: Sequence[int] = LIFETIMES
    ) -> None:
        self.seed = seed
        self.directory = directory
        self.time = Time()
        self.names = tuple(f"t{number}" for number in range(tokens))
        self.rng = self.chance("world")
        self.beat_seconds = RARE_BEAT_SECONDS
        self.caches = self.rng.random() < 0.5
        self.removed_on_expiry = frozenset(name for name in self.names if self.rng.random() < 0.25)
        self.checker = Checker(self.names, marker=MARKER, removed_on_expiry=self.removed_on_expiry)
        self.history = History(self.time.hands, self.checker.see)
        self.look: Callable[[Iterable[str]], None] = lambda names: None  # noqa: ARG005 - until there are readers
        parts = range(min(MOST_SERVERS, tokens))
        self.servers = [self._server(f"as{number}") for number in parts]
        self.stores = {
            f"sb{number}": SecretStore(f"sb{number}", rng=self.chance(f"sb{number}")) for number in parts
        }
        self.plugins = SimulatedPlugins(self.stores)
        self.server_of = {name: self.servers[index % len(parts)] for index, name in enumerate(self.names)}
        self.store_of = {
            name: self.stores[f"sb{index // len(parts) % len(parts)}"]
            for index, name in enumerate(self.names)
        }
        for name in self.names:
            secret = f"{MARKER}{name}-1"
            lifetime = self.rng.choice(list(lifetimes))
            self.server_of[name].clients[name] = RegisteredClient(name, secret, lifetime)
            self.store_of[name].store(name, secret)
        self._faults = itertools.count(1)
        self._secrets = itertools.count(2)

    def chance(self, what: str) -> random.Random:
        """A generator of its own for each purpose, so that one part's draws do not change another's."""
        return random.Random(f"{self.seed}/{what}")

    def client(self, name: str) -> RegisteredClient:
        """The client of a token."""
        return self.server_of[name].clients[name]

    @contextmanager
    def fault(self, what: str, nature: str, tokens: Iterable[str]) -> Iterator[None]:
        """Something is wrong inside; readers look just before and just after each end of it."""
        number, names = next(self._faults), tuple(tokens)
        self.look(names)
        self._edge(number, what, nature, "begin", names)
        try:
            yield
        finally:
            self.look(names)
            self._edge(number, what, nature, "end", names)
            self.look(names)

    def of_server(self, server: SimulatedServer) -> tuple[str, ...]:
        """The tokens that it issues."""
        return tuple(name for name in self.names if self.server_of[name] is server)

    def of_store(self, store: SecretStore) -> tuple[str, ...]:
        """The tokens whose secrets it keeps."""
        return tuple(name for name in self.names if self.store_of[name] is store)

    # ------------------------------------------------------------------------------------------- secrets

    def another_secret(self, name: str) -> str:
        """One that was never used."""
        return f"{MARKER}{name}-{next(self._secrets)}"

    def rotate_at_server(self, name: str, secret: str) -> None:
        """The old secret dies at once."""
        self.look((name,))
        self.client(name).secret = secret
        self._secret(name, "server", news=True)

    def store_secret(self, name: str, secret: str) -> None:
        """Somebody writes another version to the backend."""
        self.look((name,))
        news = self.store_of[name].store(name, secret)
        self._secret(name, "store", news=news)

    def _secret(self, name: str, at: str, *, news: bool) -> None:
        stored = self.store_of[name].newest(name)
        agrees = stored == self.client(name).secret
        self.history.write("secret", token=name, at=at, agrees=agrees, secret=stored, news=news)
        self.look((name,))

    # ------------------------------------------------------------------------------------------- what is told

    def observe(self, event: Event) -> None:
        """Implements `Observer`."""
        if not isinstance(event, RenewalPlanned | SecretFetched):
            self.history.write("told", text=repr(event), level="info")
        elif isinstance(event, SecretFetched) and event.message is not None:
            self.history.write("told", text=event.message, level="info")

    def _server(self, name: str) -> SimulatedServer:
        return SimulatedServer(
            name,
            boot=self.time.boot,
            wall=lambda: self.time.now().wall,
            history=self.history,
            rng=self.chance(name),
        )

    def _edge(self, number: int, what: str, nature: str, phase: str, tokens: tuple[str, ...]) -> None:
        self.history.write("fault", id=number, what=what, nature=nature, phase=phase, tokens=tokens)


class LogWitness(logging.Handler):
    """Puts every log line into the history; a failed task, and what asyncio complains of, as errors."""

    def __init__(self, history: History, formatter: logging.Formatter) -> None:
        super().__init__()
        self._history = history
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        unexpected = record.name == "asyncio" or record.exc_info is not None
        self._history.write("told", text=self.format(record), level="error" if unexpected else "info")
