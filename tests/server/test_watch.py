"""`/v1/watch`: what watchers are told, and what one who does not read costs."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from broker.client.watch import Watch as ClientWatch
from broker.events import LifeCycle, MintSucceeded, StateChanged
from broker.server.patience import Patience
from broker.server.peer import AccessRule
from broker.server.unix import SocketLimits
from tests.cache import missing
from tests.server.conftest import Serve, Served
from tests.server.running import ANOTHER_UID, Client, as_stranger, needs_root, request
from tests.waiting import eventually

GET = request("/v1/watch")


class Watcher:
    """An open stream, record by record."""

    def __init__(self, client: Client) -> None:
        client.send(GET)
        self.client = client
        self._file = client.socket.makefile("rb")
        self.head = b""
        while not self.head.endswith(b"\r\n\r\n"):
            self.head += self._file.readline()

    def record(self) -> dict[str, Any]:
        """The next line."""
        found: dict[str, Any] = json.loads(self._file.readline())
        return found

    def told(self, count: int) -> list[tuple[str, int]]:
        """Name and revision of the next records."""
        records = [self.record() for _ in range(count)]
        return [(record["name"], record["revision"]) for record in records]


@contextmanager
def watching(served: Served) -> Iterator[Watcher]:
    """A client that watches."""
    with served.client() as client:
        watcher = Watcher(client)
        with watcher._file:
            yield watcher


def changed(served: Served, name: str, **changes: object) -> None:
    """Change a record as the core would: the event follows."""

    def work() -> None:
        served.reader.update(name, **changes)
        record = served.reader.record(name)
        served.server.observe(
            StateChanged(token=name, state=record.state, condition=record.condition, reason=record.reason)
        )

    served.loop.do(work)


def minted(served: Served, name: str) -> None:
    """Mint as the core does: state and revision are told separately."""

    def work() -> None:
        served.reader.mint(name)
        record = served.reader.record(name)
        served.server.observe(
            StateChanged(token=name, state=record.state, condition=record.condition, reason=record.reason)
        )
        served.server.observe(
            MintSucceeded(
                token=name,
                authorization_server="a",
                revision=record.revision,
                issued_at=0.0,
                expires_at=0.0,
                expires_in=300,
                duration_seconds=0.0,
            )
        )

    served.loop.do(work)


def watchers(served: Served) -> int:
    """How many watch."""
    return served.loop.do(lambda: len(served.server._routes.watchers))


def test_a_snapshot_then_changes(served: Served) -> None:
    """First a line for each token, then one for each change, members as in /v1/status and no token in any."""
    with watching(served) as watcher, served.client() as client:
        assert b"HTTP/1.1 200 OK" in watcher.head
        assert b"Content-Type: application/x-ndjson" in watcher.head
        assert client.ask("/v1/status").json["tokens"] == [watcher.record(), watcher.record()]
        minted(served, "other")
        minted(served, "deploy")
        assert [("other", 1), ("deploy", 2)] == watcher.told(2)
        changed(served, "deploy", state="stale", condition="unreachable")
        record = watcher.record()
    assert ("deploy", "stale", "unreachable") == (record["name"], record["state"], record["condition"])
    assert "S3CR3T" not in json.dumps(record)


def test_what_did_not_change_is_not_told(served: Served) -> None:
    """Events without a change of state, condition or revision make no line."""
    with watching(served) as watcher:
        watcher.told(2)
        changed(served, "deploy", next_renewal_at=1.0)
        changed(served, "deploy", reason="another word")
        served.loop.do(lambda: served.server.observe(LifeCycle(phase="warning", message="-")))
        minted(served, "other")
        assert [("other", 1)] == watcher.told(1)


def test_only_what_the_peer_may_read(serve: Serve) -> None:
    """A watcher sees its own tokens; a half-closed one gets the snapshot and the end."""
    needs_root()
    served = serve(rules={"deploy": AccessRule(), "other": AccessRule(uids=frozenset({ANOTHER_UID}))})
    _, _, body = as_stranger(served.path, GET).partition(b"\r\n\r\n")
    assert ["other"] == [json.loads(line)["name"] for line in body.splitlines()]


def test_rights_that_change(serve: Serve) -> None:
    """A reload shows a watcher what it may read from now on, and no more of what it may not."""
    served = serve(rules={"deploy": AccessRule()})
    with watching(served) as watcher:
        assert [("deploy", 0)] == watcher.told(1)
        served.loop.do(lambda: served.server.replace_rules({"other": AccessRule()}))
        assert [("other", 0)] == watcher.told(1)
        minted(served, "deploy")
        minted(served, "other")
        assert [("other", 1)] == watcher.told(1)


def test_a_token_that_leaves_the_configuration(served: Served) -> None:
    """Nothing more is told of it, and the stream goes on."""
    with watching(served) as watcher:
        watcher.told(2)
        served.loop.do(lambda: served.reader.remove("deploy"))
        served.loop.do(
            lambda: served.server.observe(
                StateChanged(token="deploy", state="absent", condition="ok", reason="gone")
            )
        )
        minted(served, "other")
        assert [("other", 1)] == watcher.told(1)


def test_many_watchers_are_told_alike(served: Served) -> None:
    """Fifty watchers get the same lines; those who hang up are forgotten."""
    with ExitStack() as stack:
        crowd = [stack.enter_context(watching(served)) for _ in range(50)]
        assert [[("deploy", 1), ("other", 0)]] * 50 == [watcher.told(2) for watcher in crowd]
        minted(served, "other")
        assert [[("other", 1)]] * 50 == [watcher.told(1) for watcher in crowd]
        assert 50 == watchers(served)
    eventually(lambda: watchers(served) == 0, what="nobody watches")


@pytest.fixture
def crowded(serve: Serve) -> Served:
    """A server of so many tokens that a snapshot fills the kernel's buffer; it looks at its watchers when told to."""
    names = [f"t{number:05}" for number in range(5000)]
    limits = SocketLimits(sweep_seconds=3600.0)
    served = serve(rules=dict.fromkeys((*names, "deploy"), AccessRule()), limits=limits)
    record = served.reader.record("deploy")
    for name in names:
        served.reader.add(name, record)
    return served


def test_a_slow_watcher_is_dropped(crowded: Served) -> None:
    """One who does not read is dropped after the time for sending, and is owed names meanwhile, not lines (R-136)."""
    with crowded.client() as client:
        client.send(GET)
        eventually(lambda: watchers(crowded) == 1, what="it watches")
        (connection,) = crowded.loop.do(lambda: set(crowded.server._listener.connections))  # type: ignore[union-attr]  # it listens
        assert connection._transport.get_write_buffer_size() < 100_000
        for _ in range(10):
            minted(crowded, "deploy")
        assert 1 == watchers(crowded)
        crowded.sweep(crowded.loop.now() + Patience().send_seconds + 0.1)
        eventually(lambda: watchers(crowded) == 0, what="it is dropped")


def test_a_large_snapshot_reaches_who_reads(crowded: Served) -> None:
    """A snapshot larger than any buffer comes whole, and what changes meanwhile comes once and as it is then."""
    with crowded.client() as client:
        client.send(GET)
        eventually(lambda: watchers(crowded) == 1, what="it watches")
        for _ in range(3):
            minted(crowded, "t04999")
        with client.socket.makefile("rb") as file:
            while file.readline().strip():
                pass
            records = [json.loads(file.readline()) for _ in range(5001)]
    assert len({record["name"] for record in records}) == 5001
    assert 3 == records[-1]["revision"]


def test_the_end_of_the_server_ends_the_stream(served: Served) -> None:
    """A watcher sees the end when the server stops."""
    with watching(served) as watcher:
        watcher.told(2)
        served.loop.run(served.server.stop())
        assert b"" == watcher._file.read()


def test_what_follows_is_not_answered(served: Served) -> None:
    """A stream takes its connection over: a request behind it is discarded, however large."""
    with served.client() as client:
        client.send(GET + request("/v1/tokens/deploy"))
        client.send(b"x" * 300_000)
        with client.socket.makefile("rb") as file:
            while file.readline().strip():
                pass
            assert ["deploy", "other"] == [json.loads(file.readline())["name"] for _ in range(2)]
        minted(served, "other")
        assert b'"other"' in client.socket.recv(4096)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_versions(served: Served, version: str) -> None:
    """The stream ends with the connection, which both versions of HTTP understand (RFC 9112 6.3)."""
    with served.client() as client:
        client.send(GET.replace(b"1.1", version.encode()))
        client.socket.shutdown(1)
        head, _, body = client.rest().partition(b"\r\n\r\n")
    assert b"Connection: close" in head
    assert b"Content-Length" not in head
    assert 2 == len(body.splitlines())


def test_our_own_client_reads_it(served: Served) -> None:
    """broker.client.watch understands the stream."""
    stream = ClientWatch(str(served.path))
    try:
        seen: list[object] = []
        while len(seen) < 2:
            seen += [record["name"] for record in stream.read(timeout_seconds=10)]
        assert ["deploy", "other"] == seen
        minted(served, "other")
        assert [1] == [record["revision"] for record in stream.read(timeout_seconds=10)]
    finally:
        stream.close()


def test_curl_shows_lines_as_they_come(served: Served) -> None:
    """`curl -N` is told of a change before the stream ends."""
    curl = shutil.which("curl") or missing("curl", "apt-get install curl")
    arguments = [curl, "-sN", "--unix-socket", str(served.path), "http://localhost/v1/watch"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert ["deploy", "other"] == [json.loads(process.stdout.readline())["name"] for _ in range(2)]
        minted(served, "other")
        assert 1 == json.loads(process.stdout.readline())["revision"]
        process.terminate()
