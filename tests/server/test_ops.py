"""The ops listener: metrics, health, the status page, and who may look."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from broker.errors import ConfigError
from broker.policy.readiness import Readiness
from broker.server.ops import OpsLimits, OpsServer
from broker.server.patience import Patience
from tests.server.fakes import FakeReader, ManualClock, Observed
from tests.server.running import Answer, Client, Loop, request, running_loop
from tests.waiting import eventually

READY = Readiness(ready=True, reasons=())


@dataclass(slots=True)
class Watched:
    """A running listener and what it is told."""

    loop: Loop
    reader: FakeReader
    server: OpsServer | None = None
    ready: Readiness = field(default_factory=lambda: READY)
    metrics: bytes = b"# metrics\n"

    @property
    def address(self) -> tuple[str, int]:
        assert self.server is not None
        host, port = self.server.address
        return host, port

    def connections(self) -> set[object]:
        """Those that are open."""
        assert self.server is not None
        listener = self.server._listener
        assert listener is not None
        return self.loop.do(lambda: set(listener.connections))

    def get(self, path: str, host: str | None = "localhost", method: str = "GET") -> Answer:
        lines = [f"{method} {path} HTTP/1.1"] + ([] if host is None else [f"Host: {host}"])
        with Client(self.address) as client:
            client.send("\r\n".join((*lines, "", "")).encode())
            return client.receive(head_only=method == "HEAD")


Watch = Callable[..., Watched]


@pytest.fixture
def watch() -> Iterator[Watch]:
    """Starts a listener; stops it after the test."""
    with ExitStack() as stack:

        def start(listen: str = "127.0.0.1:0", limits: OpsLimits | None = None) -> Watched:
            loop = stack.enter_context(running_loop())
            clock = ManualClock()
            watched = Watched(loop, FakeReader(clock, "deploy", "other"))

            def name_ready(name: str) -> Readiness:
                watched.reader.record(name)
                return watched.ready

            async def up() -> OpsServer:
                server = OpsServer(
                    listen=listen,
                    metrics=lambda: (watched.metrics, "text/plain; version=0.0.4"),
                    reader=watched.reader,
                    ready=lambda: watched.ready,
                    name_ready=name_ready,
                    observer=Observed(),
                    clock=clock,
                    limits=limits,
                )
                await server.start()
                return server

            server = watched.server = loop.run(up())
            stack.callback(lambda: loop.run(server.stop()))
            return watched

        yield start


def test_metrics(watch: Watch) -> None:
    """The body and the type are those that metrics give."""
    answer = watch().get("/metrics")
    assert (200, b"# metrics\n", "text/plain; version=0.0.4") == (
        answer.status,
        answer.body,
        answer.headers["content-type"],
    )


def test_livez(watch: Watch) -> None:
    """Alive as long as the loop answers, ready or not."""
    watched = watch()
    watched.ready = Readiness(ready=False, reasons=("deploy: absent",))
    assert 200 == watched.get("/livez").status


@pytest.mark.parametrize("path", ["/readyz", "/readyz/deploy"])
def test_readyz(watch: Watch, path: str) -> None:
    """200 when ready; else 503 with the reasons."""
    watched = watch()
    assert 200 == watched.get(path).status
    watched.ready = Readiness(ready=False, reasons=("deploy: absent, renewing: first mint",))
    answer = watched.get(path)
    assert 503 == answer.status
    assert {"ready": False, "reasons": ["deploy: absent, renewing: first mint"]} == answer.json


@pytest.mark.parametrize("path", ["/readyz/nope", "/readyz/", "/nope", "/metrics/"])
def test_unknown_paths(watch: Watch, path: str) -> None:
    """An unknown name or path is 404."""
    assert 404 == watch().get(path).status


def test_other_methods(watch: Watch) -> None:
    """Nothing can be changed here; HEAD is answered without a body."""
    watched = watch()
    assert 405 == watched.get("/metrics", method="POST").status
    assert (200, b"") == (
        watched.get("/livez", method="HEAD").status,
        watched.get("/livez", method="HEAD").body,
    )


def test_status_page(watch: Watch) -> None:
    """The page shows every token's state, escapes everything, and shows no token."""
    watched = watch()

    def prepare() -> None:
        watched.reader.mint("deploy")
        watched.reader.update("other", reason="<script>alert(1)</script>")

    watched.loop.do(prepare)
    answer = watched.get("/")
    page = answer.body.decode()
    assert "<td>deploy</td><td>fresh</td><td>ok</td><td>295 s</td>" in page
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert "S3CR3T" not in page
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("status", "host"),
    [
        (200, "localhost"),
        (200, "LOCALHOST:9464"),
        (200, "127.0.0.1"),
        (200, "127.8.8.8:1"),
        (200, "[::1]:9464"),
        (403, "evil.example"),
        (403, "localhost.evil.example:9464"),
        (403, "127.0.0.1.nip.io"),
        (403, "192.0.2.1"),
        (403, ""),
        (403, "[::1"),
        (400, None),
    ],
)
def test_host_header(watch: Watch, status: int, host: str | None) -> None:
    """A name that somebody pointed at us is refused: a browser must not be led here (DNS rebinding)."""
    assert status == watch().get("/metrics", host).status


def test_wildcard_address(watch: Watch) -> None:
    """Listening on all addresses, the one that was connected to counts as ours, others do not."""
    watched = watch("0.0.0.0:0")
    assert [200, 200, 403] == [
        watched.get("/livez", host).status for host in ("127.0.0.1:9464", "0.0.0.0", "192.0.2.1:9464")
    ]


def test_port_in_use(watch: Watch) -> None:
    """It is a configuration fault at ops.listen that names the address."""
    host, port = watch().address
    with pytest.raises(ConfigError) as caught:
        watch(f"{host}:{port}")
    assert f"ops.listen: 127.0.0.1:{port} is in use by another process" == str(caught.value)


@pytest.mark.parametrize("listen", ["127.0.0.1", ":9464", "127.0.0.1:port", "127.0.0.1:99999", "192.0.2.1:0"])
def test_addresses_that_cannot_be(watch: Watch, listen: str) -> None:
    """So is an address that is malformed or not ours."""
    with pytest.raises(ConfigError, match=r"^ops\.listen: "):
        watch(listen)


def test_unix_socket(watch: Watch, socket_directory: Path) -> None:
    """unix:PATH listens in the file system, where the Host header does not matter."""
    path = socket_directory / "ops.sock"
    watched = watch(f"unix:{path}")
    with Client(path) as client:
        client.send(b"GET /livez HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        assert 200 == client.receive().status
    assert watched.server is not None
    watched.loop.run(watched.server.stop())
    assert not path.exists()


def test_a_scraper_that_does_not_read(watch: Watch) -> None:
    """It is given up after the time for sending and holds nobody up (R-169)."""
    watched = watch(limits=OpsLimits(sweep_seconds=0.02, patience=Patience(send_seconds=0.2)))
    watched.metrics = b"x" * 8_000_000
    with Client(watched.address) as stuck:
        stuck.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.send(request("/metrics"))
        assert 200 == watched.get("/livez").status
        eventually(lambda: not watched.connections(), what="the stuck connection is given up")


def test_too_many_connections(watch: Watch) -> None:
    """Connections beyond the limit are closed at once (R-169)."""
    watched = watch(limits=OpsLimits(connections=2))
    with ExitStack() as stack:
        first, second = (stack.enter_context(Client(watched.address)) for _ in range(2))
        assert [200, 200] == [client.ask("/livez").status for client in (first, second)]
        with Client(watched.address) as third:
            assert b"" == third.rest()
