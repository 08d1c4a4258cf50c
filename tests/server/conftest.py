"""A Unix server with one readable and one unreadable token, for one test."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from broker.server.patience import Patience
from broker.server.peer import AccessRule
from broker.server.unix import SocketLimits, UnixServer
from tests.server.fakes import FakeReader, ManualClock, Observed
from tests.server.running import Client, Loop, running_loop


@dataclass(slots=True)
class Served:
    """A running server and the parts a test moves."""

    path: Path
    server: UnixServer
    reader: FakeReader
    clock: ManualClock
    observed: Observed
    loop: Loop

    def client(self) -> Client:
        return Client(self.path)

    def sweep(self, now: float) -> None:
        """Have the server look at its connections as if it were then by its loop's time."""

        def work() -> None:
            assert self.server._listener is not None
            for held in tuple(self.server._listener.connections):
                held.sweep(now)

        self.loop.do(work)

    def mint(self, name: str, value: str = "S3CR3T-access-token", *, expires_in: int = 300) -> None:
        """Give a token its next revision, and wake those who wait for it."""

        async def work() -> None:
            self.reader.mint(name, value, expires_in=expires_in)
            await self.reader.announce()

        self.loop.run(work())


Serve = Callable[..., Served]

PATIENT = SocketLimits(patience=Patience(receive_seconds=60.0, idle_seconds=300.0, send_seconds=60.0))
"""A busy machine may stop in the middle of a test that is about something else."""


@pytest.fixture
def socket_directory() -> Iterator[Path]:
    """A short path that every user may search."""
    with tempfile.TemporaryDirectory(prefix="tb-") as name:
        directory = Path(name)
        directory.chmod(0o711)
        yield directory


@pytest.fixture
def serve(socket_directory: Path) -> Iterator[Serve]:
    """Starts a server of the tokens `deploy` and `other`; stops it after the test."""
    with ExitStack() as stack:

        def start(
            *, rules: Mapping[str, AccessRule] | None = None, limits: SocketLimits | None = None
        ) -> Served:
            loop = stack.enter_context(running_loop())
            clock, observed = ManualClock(), Observed()
            reader = FakeReader(clock, "deploy", "other")
            path = socket_directory / "token-broker.sock"

            async def up() -> UnixServer:
                server = UnixServer(
                    path=path,
                    mode=0o666,
                    gid=None,
                    reader=reader,
                    rules={"deploy": AccessRule(), "other": AccessRule()} if rules is None else rules,
                    observer=observed,
                    clock=clock,
                    limits=limits or PATIENT,
                )
                await server.start()
                return server

            server = loop.run(up())
            stack.callback(lambda: loop.run(server.stop()))
            return Served(path, server, reader, clock, observed, loop)

        yield start


@pytest.fixture
def served(serve: Serve) -> Served:
    """A server with the default rules, where `deploy` has been minted."""
    server = serve()
    server.mint("deploy")
    return server
