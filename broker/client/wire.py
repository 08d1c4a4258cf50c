"""One HTTP/1.1 exchange over a Unix socket (RFC 9112), as little of it as the socket API uses.

Owns: the socket's address, connecting, sending a request, reading an answer that has a Content-Length.
Refuses to know: tokens, JSON. Uses `_socket`, the C half of `socket`: the Python half alone costs more time
than a whole `get`.
"""

import errno
import os
from _socket import AF_UNIX, SOCK_STREAM, socket
from time import monotonic

from broker.client.errors import AccessDenied, BrokerUnreachable, RequestInvalid, UnexpectedAnswer
from broker.client.pause import pause

DEFAULT_SOCKET = "/run/token-broker/token-broker.sock"

OK = 200
ACCEPTED = 202

_MAX_SOCKET_PATH_BYTES = 107
_MAX_HEAD_BYTES = 16 * 1024
_MAX_BODY_BYTES = 32 * 1024 * 1024
_MAX_LENGTH_DIGITS = 9
_RECEIVE_BYTES = 64 * 1024
# A full backlog or a socket file between bind and listen: over in milliseconds, so a few tries are enough.
_CONNECT_PAUSES_SECONDS = (0.005, 0.01, 0.02, 0.04)
_WHERE = "another socket is named by --socket or $TOKEN_BROKER_SOCKET"


class Answer:
    """Status and body of one answer."""

    __slots__ = ("body", "status")

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self.body = body


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
    path: str, method: str, target: str, *, timeout_seconds: float, accept: str = "application/json"
) -> Answer:
    """Send one request and read its answer, whatever its status.

    Raises BrokerUnreachable, AccessDenied (the socket may not be opened) or UnexpectedAnswer.
    """
    deadline = monotonic() + timeout_seconds
    head = [f"{method} {target} HTTP/1.1", "Host: localhost", f"Accept: {accept}", "Connection: close"]
    if method == "POST":
        head.append("Content-Length: 0")
    request = "\r\n".join([*head, "", ""]).encode("ascii")
    connection = _connect(path, deadline)
    try:
        try:  # noqa: SIM105 - contextlib would be one import more
            connection.sendall(request)
        except BrokenPipeError:
            pass  # who turns us away at the door answers before it reads
        return _read_answer(connection, deadline, path)
    except TimeoutError:
        raise BrokerUnreachable(
            f"no answer from {path} within {timeout_seconds:g} s",
            code="timeout",
            fix="see the broker's log: journalctl -u token-broker",
        ) from None
    except OSError as error:
        raise BrokerUnreachable(
            f"the connection to {path} broke: {error.strerror}", code="broken", fix="try again"
        ) from None
    finally:
        connection.close()


def _connect(path: str, deadline: float) -> socket:
    pauses = iter(_CONNECT_PAUSES_SECONDS)
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
            raise _refused(path, error) from None
        except BaseException:
            connection.close()
            raise
        else:
            return connection


def _refused(path: str, error: OSError) -> AccessDenied | BrokerUnreachable:
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


def _read_answer(connection: socket, deadline: float, path: str) -> Answer:
    head, received = b"", b""
    while True:
        head, found, rest = received.partition(b"\r\n\r\n")
        if found:
            break
        if len(received) > _MAX_HEAD_BYTES:
            raise _unexpected(path, "its head has no end")
        received += _receive(connection, deadline, path)
    status, length = _parse_head(head, path)
    chunks = [rest]
    missing = length - len(rest)
    while missing > 0:
        chunk = _receive(connection, deadline, path)
        chunks.append(chunk)
        missing -= len(chunk)
    if missing < 0:
        raise _unexpected(path, "more body than its Content-Length says")
    return Answer(status, b"".join(chunks))


def _receive(connection: socket, deadline: float, path: str) -> bytes:
    connection.settimeout(_left(deadline))
    chunk = connection.recv(_RECEIVE_BYTES)
    if not chunk:
        raise BrokerUnreachable(f"{path} hung up before its answer was whole", code="broken", fix="try again")
    return chunk


def _parse_head(head: bytes, path: str) -> tuple[int, int]:
    status_line, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = status_line.partition(" ")
    status = rest[:3]
    if version != "HTTP/1.1" or not (status.isascii() and status.isdigit() and rest[3:4] in ("", " ")):
        raise _unexpected(path, "not HTTP/1.1")
    lengths = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise _unexpected(path, "a malformed header")
        name = name.lower()
        if name == "transfer-encoding":
            raise _unexpected(path, "a transfer coding")
        if name == "content-length":
            lengths.append(value.strip())
    if len(lengths) != 1 or not (lengths[0].isascii() and lengths[0].isdigit()):
        raise _unexpected(path, "no single Content-Length")
    if len(lengths[0]) > _MAX_LENGTH_DIGITS or int(lengths[0]) > _MAX_BODY_BYTES:
        raise _unexpected(path, "an oversized body")
    return int(status), int(lengths[0])


def _left(deadline: float) -> float:
    """Seconds until the deadline; TimeoutError after it (a time-out of zero would mean non-blocking)."""
    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _unexpected(path: str, what: str) -> UnexpectedAnswer:
    return UnexpectedAnswer(
        f"what listens at {path} is not a token-broker: {what}",
        code="protocol",
        fix=f"check the path; {_WHERE}",
    )
