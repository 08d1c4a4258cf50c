"""What one peer may take: time, connections, descriptors."""

from __future__ import annotations

import array
import os
import resource
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from broker.events import LifeCycle, SocketServed
from broker.server.descriptors import RESERVED
from broker.server.patience import Patience
from broker.server.unix import SocketLimits
from tests.server.conftest import Serve, Served
from tests.server.running import ANOTHER_UID, as_stranger, needs_root, request
from tests.waiting import eventually

GET = request("/v1/tokens/deploy")
HASTY = SocketLimits(
    connections=6,
    connections_per_uid=2,
    sweep_seconds=0.02,
    patience=Patience(receive_seconds=0.1, send_seconds=0.2),
)


@pytest.fixture
def hasty(serve: Serve) -> Served:
    """A server with limits small enough to reach."""
    served = serve(limits=HASTY)
    served.mint("deploy")
    return served


def test_slow_heads(hasty: Served) -> None:
    """A head that does not end in time ends the connection, however steadily its bytes drip (R-136)."""
    with hasty.client() as client:
        client.send(b"GET / HTTP/1.1\r\n")

        def ended() -> bool:
            try:
                client.send(b"X")
            except (BrokenPipeError, ConnectionResetError):
                return True
            return False

        eventually(ended, what="the connection ends")


def test_slow_bodies(hasty: Served) -> None:
    """The time for a request includes its body."""
    with hasty.client() as client:
        client.send(b"POST /v1/tokens/deploy/renew HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n")
        assert b"" == client.rest()
    assert [] == hasty.reader.renewals


def test_idle_connections(serve: Serve) -> None:
    """A connection that was not used for so long ends; one that was used a moment later does not."""
    served = serve(limits=SocketLimits(sweep_seconds=3600.0))
    served.mint("deploy")
    with served.client() as idle, served.client() as busy:
        assert 200 == idle.ask("/v1/tokens/deploy").status
        used = served.loop.now()
        eventually(lambda: served.loop.now() > used + 0.2, what="a moment passes")
        assert 200 == busy.ask("/v1/tokens/deploy").status
        served.sweep(used + Patience().idle_seconds + 0.1)
        assert b"" == idle.socket.recv(1)
        assert 200 == busy.ask("/v1/tokens/deploy").status


def test_clients_that_never_read(hasty: Served) -> None:
    """A full pipe is given up after the time for sending, and holds nobody up meanwhile (F-37)."""
    with hasty.client() as client, hasty.client() as other:
        client.socket.settimeout(0.05)
        with pytest.raises((TimeoutError, BrokenPipeError, ConnectionResetError)):
            client.send(GET * 100_000)
        assert 200 == other.ask("/v1/tokens/deploy").status
        eventually(lambda: hasty.loop.do(lambda: len(connections(hasty))) == 1, what="it is given up")


def test_connections_of_one_user(hasty: Served) -> None:
    """A user beyond the limit is told 429; root is bounded by the total only (R-136)."""
    needs_root()
    with ExitStack() as stack:
        crowd = [stack.enter_context(hasty.client()) for _ in range(3)]
        assert [200] * 3 == [client.ask("/v1/tokens/deploy").status for client in crowd]
        hasty.loop.do(lambda: hasty.server._per_uid.update({ANOTHER_UID: 2}))
        assert as_stranger(hasty.path, GET).startswith(b"HTTP/1.1 429 ")
        hasty.loop.do(lambda: hasty.server._per_uid.update({ANOTHER_UID: -1}))
        assert as_stranger(hasty.path, GET).startswith(b"HTTP/1.1 403 ")


def test_connections_in_total(hasty: Served) -> None:
    """Beyond the total everybody is told 429; room is made when a connection ends."""
    with ExitStack() as stack:
        crowd = [stack.enter_context(hasty.client()) for _ in range(6)]
        assert [200] * 6 == [client.ask("/v1/tokens/deploy").status for client in crowd]
        with hasty.client() as late:
            answer = late.receive()
            assert (429, "rate_limited") == (answer.status, answer.json["code"])
            assert b"" == late.rest()
        crowd[0].socket.close()

        def served_again() -> bool:
            with hasty.client() as client:
                return client.ask("/v1/tokens/deploy").status == 200

        eventually(served_again, what="there is room", retry_on=(OSError,))


def test_many_at_once(serve: Serve) -> None:
    """The kernel holds a crowd of simultaneous connects for us (R-138)."""
    served = serve()
    served.mint("deploy")
    with ExitStack() as stack:
        crowd = [stack.enter_context(served.client()) for _ in range(400)]
        for client in crowd:
            client.send(GET)
        assert {200} == {client.receive().status for client in crowd}


def test_who_comes_while_the_loop_is_busy(served: Served) -> None:
    """After a long turn all who have come are let in: nobody waits a turn for each of a crowd. Then one a turn."""
    with ExitStack() as stack:

        def come(count: int) -> int:
            for _ in range(count):
                stack.enter_context(served.client())
            listener = served.server._listener
            assert listener is not None
            listener._accept()
            return len(listener.connections)

        assert (10, 11) == served.loop.do(lambda: (come(10), come(3)))
        eventually(lambda: len(connections(served)) == 13, what="all are let in")


def test_descriptors_sent_over_are_closed(served: Served) -> None:
    """Descriptors in ancillary data do not reach us (R-141)."""
    with served.client() as client, Path(os.devnull).open() as null:
        assert 200 == client.ask("/v1/tokens/deploy").status
        before = len(descriptors())
        for _ in range(5):
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [null.fileno()] * 40))
            client.socket.sendmsg([GET], [rights])
            assert 200 == client.receive().status
        assert before >= len(descriptors())


def test_descriptors_sent_over_are_released(served: Served) -> None:
    """The kernel drops them as soon as the bytes that they came with are read, on streams too (R-141)."""
    for data in (GET, request("/v1/watch"), b"G"):
        reading, writing = os.pipe()
        with served.client() as client, os.fdopen(reading, "rb", buffering=0) as end:
            client.socket.sendmsg(
                [data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [writing]))]
            )
            os.close(writing)
            os.set_blocking(reading, False)
            eventually(lambda end=end: end.read(1) == b"", what="nobody holds the other end")  # type: ignore[misc]  # bound at once


def descriptors() -> list[int]:
    """Those that are open in this process."""
    return [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]


@contextmanager
def descriptors_left(spare: int) -> Iterator[None]:
    """Leave this process `spare` descriptors and no more."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(descriptors())
    with ExitStack() as stack:
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1 + spare, limits[1]))
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        filler = os.dup(0)
        while filler < highest + 1:  # fill the gaps below, and one too many
            stack.callback(os.close, filler)
            try:
                filler = os.dup(0)
            except OSError:
                break
        else:
            os.close(filler)
        yield


def test_out_of_descriptors(served: Served) -> None:
    """Without descriptors clients wait in the queue, one warning is given, then all are served (R-137)."""
    waiting = [socket.socket(socket.AF_UNIX) for _ in range(3)]
    with ExitStack() as stack:
        for client in waiting:
            stack.enter_context(client)
        with descriptors_left(0):
            for client in waiting:
                client.connect(str(served.path))
                client.sendall(GET)
            (warning,) = eventually(lambda: warnings(served), what="a warning")
            assert "Too many open files" in warning.message
        for client in waiting:
            client.settimeout(60)
            assert client.recv(12) == b"HTTP/1.1 200"
        assert 1 == len(warnings(served))


def warnings(served: Served) -> list[LifeCycle]:
    """What operators were told."""
    return [event for event in served.observed.events if isinstance(event, LifeCycle)]


def test_clients_leave_a_reserve_of_descriptors(served: Served) -> None:
    """However many clients come, 32 descriptors remain for mints and files; those beyond are told 429 (R-136, F-38)."""
    clients = [socket.socket(socket.AF_UNIX) for _ in range(20)]
    with ExitStack() as stack:
        for client in clients:
            stack.enter_context(client)
            client.settimeout(60)
        with descriptors_left(RESERVED + 8):
            for client in clients:
                client.connect(str(served.path))
            answers = [client.recv(12) for client in clients[8:]]
            assert {b"HTTP/1.1 429"} == set(answers)
            # The last answer may come a moment before its descriptor is closed.
            assert eventually(lambda: opened(RESERVED), what="the reserve is there", retry_on=(OSError,))
            clients[0].sendall(GET)
            assert b"HTTP/1.1 200" == clients[0].recv(12)
    assert ["connections are turned away"] == [told.message.partition(":")[0] for told in warnings(served)]


def opened(count: int) -> bool:
    """Open so many files at once, and close them. OSError if there are fewer descriptors."""
    with ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(Path(os.devnull).open("rb"))
    return True


def test_a_lowered_limit_drops_clients(hasty: Served) -> None:
    """When the limit is lowered while clients are connected, those in the reserve go: mints come first (F-38)."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with hasty.client() as client, ExitStack() as stack:
        assert 200 == client.ask("/v1/tokens/deploy").status
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(descriptors()), limits[1]))
        eventually(lambda: hasty.loop.do(lambda: len(connections(hasty))) == 0, what="it is dropped")


def test_served_requests_are_told(served: Served) -> None:
    """Each answer is counted by route and code, the quick ones too."""
    with served.client() as client:
        for path in ("/v1/tokens/deploy",) * 5 + ("/v1/tokens/nope", "/v1/tokens", "/x"):
            client.ask(path)
    served.loop.do(served.server.flush)
    counts: Counter[tuple[str, int]] = Counter()
    for event in served.observed.events:
        if isinstance(event, SocketServed):
            counts[event.route, event.code] += event.count
            assert 0 <= event.duration_seconds < 10
    assert {("get", 200): 5, ("get", 403): 1, ("list", 200): 1, ("other", 404): 1} == counts


def connections(served: Served) -> set[object]:
    """Those that are open."""
    listener = served.server._listener
    assert listener is not None
    return set(listener.connections)
