"""Talking over a Unix socket: connect, send, read within a deadline.

Owns: the socket's address, connecting, what an operating system error means to the caller. Refuses to know:
tokens, JSON, what a message looks like. Uses `_socket`, the C half of `socket`: the Python half alone costs
more time than a whole `get`.
"""

import errno
import os
from _socket import AF_UNIX, SOCK_STREAM, socket
from time import monotonic

from broker.client import message
from broker.client.errors import AccessDenied, BrokerUnreachable, RequestInvalid
from broker.client.pause import pause

DEFAULT_SOCKET = "/run/token-broker/token-broker.sock"

_MAX_SOCKET_PATH_BYTES = 107
_RECEIVE_BYTES = 64 * 1024
# A full backlog or a socket file between bind and listen: over in milliseconds, so a few tries are enough.
CONNECT_PAUSES_SECONDS = (0.005, 0.01, 0.02, 0.04)
_WHERE = "another socket is named by --socket or $TOKEN_BROKER_SOCKET"


def socket_path(given: str | None) -> str:
    """`given`, else `$TOKEN_BROKER_SOCKET`, else the default. Raises RequestInvalid for no address."""
    path = given or os.environ.get("TOKEN_BROKER_SOCKET") or DEFAULT_SOCKET
    if len(os.fsencode(path)) > _MAX_SOCKET_PATH_BYTES:
        raise RequestInvalid(
            f"the socket path is longer than {_MAX_SOCKET_PATH_BYTES} bytes: {path}",
            code="socket_path",
            fix="name a shorter one; a symbolic link to its directory will do",
        )
    if "\0" in path:
        raise RequestInvalid("the socket path holds a NUL byte", code="socket_path")
    return path


def exchange(
    path: str,
    method: str,
    target: str,
    *,
    timeout_seconds: float,
    accept: str = "application/json",
    body: bytes | None = None,
) -> message.Answer:
    """Send one request over a connection of its own and read the answer, whatever its status.

    Raises BrokerUnreachable, AccessDenied (the socket may not be opened) or UnexpectedAnswer.
    """
    deadline = monotonic() + timeout_seconds
    connection = connect(path, deadline)
    try:
        request = message.request(method, target, accept=accept, body=body)
        return converse(connection, request, deadline, path)
    finally:
        connection.close()


def converse(connection: socket, request: bytes, deadline: float, path: str) -> message.Answer:
    """One exchange on an open connection.

    Raises BrokerUnreachable (code `broken` if the other end hung up) or UnexpectedAnswer; the connection is of no
    use then.
    """
    reader = message.AnswerReader(path)
    try:
        connection.settimeout(_left(deadline))
        try:  # noqa: SIM105 - contextlib would be one import more
            connection.sendall(request)
        except BrokenPipeError:
            pass  # who turns us away at the door answers before it reads
        while reader.answer is None:
            reader.feed(receive(connection, deadline, path))
    except OSError as error:
        raise trouble(error, path) from None
    return reader.answer


def receive(connection: socket, deadline: float, path: str) -> bytes:
    """Some bytes. Raises BrokerUnreachable at the end of the stream, TimeoutError, OSError."""
    connection.settimeout(_left(deadline))
    return received(connection.recv(_RECEIVE_BYTES), path)


def received(chunk: bytes, path: str) -> bytes:
    """`chunk`, unless it is the end of the stream. Raises BrokerUnreachable."""
    if not chunk:
        raise BrokerUnreachable(f"{path} hung up before its answer was whole", code="broken", fix="try again")
    return chunk


def trouble(error: OSError, path: str) -> BrokerUnreachable:
    """The error for what went wrong on an open connection."""
    if isinstance(error, TimeoutError):
        return BrokerUnreachable(
            f"no answer from {path} in time",
            code="timeout",
            fix="see the broker's log: journalctl -u token-broker",
        )
    return BrokerUnreachable(
        f"the connection to {path} broke: {error.strerror}", code="broken", fix="try again"
    )


def connect(path: str, deadline: float) -> socket:
    """An open connection. Raises BrokerUnreachable or AccessDenied."""
    pauses = iter(CONNECT_PAUSES_SECONDS)
    while True:
        connection = socket(AF_UNIX, SOCK_STREAM)
        try:
            connection.settimeout(_left(deadline))
            connection.connect(path)
        except OSError as error:
            connection.close()
            pause_seconds = next(pauses, None)
            if error.errno in (errno.EAGAIN, errno.ECONNREFUSED) and pause_seconds is not None:
                # Spread by the low bits of the clock: importing `random` would double the time of a `get`.
                pause(pause_seconds * (0.5 + monotonic() * 1e6 % 1))
                continue
            raise refused(path, error) from None
        except BaseException:
            connection.close()
            raise
        else:
            return connection


def refused(path: str, error: OSError) -> AccessDenied | BrokerUnreachable:
    """The error for what went wrong while connecting."""
    if error.errno in (errno.EACCES, errno.EPERM):
        return AccessDenied(
            f"this user may not open the socket {path}",
            code="denied",
            fix="join the group of socket.group, or ask for a socket.mode that lets you in",
        )
    if error.errno == errno.ENOENT:
        return BrokerUnreachable(
            f"there is no socket {path}", code="no_socket", fix=f"is the broker running? {_WHERE}"
        )
    if error.errno == errno.ECONNREFUSED:
        return BrokerUnreachable(
            f"nobody listens at {path}", code="refused", fix=f"start the broker (token-broker run); {_WHERE}"
        )
    return BrokerUnreachable(
        f"cannot connect to {path}: {error.strerror or 'timed out'}", code="connect", fix=_WHERE
    )


def _left(deadline: float) -> float:
    """Seconds until the deadline; TimeoutError after it (a time-out of zero would mean non-blocking)."""
    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError
    return left
