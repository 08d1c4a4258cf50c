"""HTTP/1.1 messages (RFC 9112) as clients of the socket API write and read them.

Owns: the bytes of a request, and an answer put together from whatever pieces arrive. Refuses to know: sockets
and time, so that the asynchronous client reads with it too.
"""

from broker.client.errors import UnexpectedAnswer

OK = 200
ACCEPTED = 202

_MAX_HEAD_BYTES = 16 * 1024
_MAX_BODY_BYTES = 32 * 1024 * 1024
_MAX_LENGTH_DIGITS = 9
_WHERE = "another socket is named by --socket or $TOKEN_BROKER_SOCKET"


class Answer:
    """Status and body of one answer, and whether the connection may be used again."""

    __slots__ = ("body", "keep_alive", "status")

    def __init__(self, status: int, body: bytes, *, keep_alive: bool) -> None:
        self.status = status
        self.body = body
        self.keep_alive = keep_alive


class Head:
    """What the head of an answer says; `length` is None for a body without a Content-Length."""

    __slots__ = ("chunked", "keep_alive", "length", "status")

    def __init__(self, status: int, *, length: int | None, chunked: bool, keep_alive: bool) -> None:
        self.status = status
        self.length = length
        self.chunked = chunked
        self.keep_alive = keep_alive


def request(
    method: str,
    target: str,
    *,
    accept: str = "application/json",
    body: bytes | None = None,
    keep_alive: bool = False,
) -> bytes:
    """The bytes to send; `body` is JSON."""
    head = [f"{method} {target} HTTP/1.1", "Host: localhost", f"Accept: {accept}"]
    if not keep_alive:
        head.append("Connection: close")
    if body is not None:
        head.append("Content-Type: application/json")
    if method == "POST":
        head.append(f"Content-Length: {len(body or b'')}")
    return "\r\n".join([*head, "", ""]).encode("ascii") + (body or b"")


class HeadReader:
    """Waits for the end of a head; `head` is None until then, and `rest` what came behind it."""

    def __init__(self, path: str) -> None:
        """`path` is the socket's, for messages."""
        self.head: Head | None = None
        self.rest = b""
        self._path = path

    def feed(self, data: bytes) -> None:
        """Take what arrived. Raises UnexpectedAnswer."""
        received = self.rest + data
        head, found, rest = received.partition(b"\r\n\r\n")
        if not found and len(received) > _MAX_HEAD_BYTES:
            raise unexpected(self._path, "its head has no end")
        if found:
            self.head = _parse_head(head, self._path)
        self.rest = rest if found else received


class AnswerReader:
    """Waits for the end of an answer that says how long it is; `answer` is None until then."""

    def __init__(self, path: str) -> None:
        """`path` is the socket's, for messages."""
        self.answer: Answer | None = None
        self._path = path
        self._head = HeadReader(path)
        self._chunks: list[bytes] = []
        self._missing = 0

    def feed(self, data: bytes) -> None:
        """Take what arrived. Raises UnexpectedAnswer."""
        head = self._head.head
        if head is None:
            self._head.feed(data)
            head = self._head.head
            if head is None:
                return
            if head.length is None:
                raise unexpected(
                    self._path, "a transfer coding" if head.chunked else "no single Content-Length"
                )
            self._missing = head.length
            data = self._head.rest
        self._chunks.append(data)
        self._missing -= len(data)
        if self._missing < 0:
            raise unexpected(self._path, "more body than its Content-Length says")
        if not self._missing:
            self.answer = Answer(head.status, b"".join(self._chunks), keep_alive=head.keep_alive)


def unexpected(path: str, what: str) -> UnexpectedAnswer:
    """The error for what does not speak the socket API."""
    return UnexpectedAnswer(
        f"what listens at {path} is not a token-broker: {what}",
        code="protocol",
        fix=f"check the path; {_WHERE}",
    )


def _parse_head(head: bytes, path: str) -> Head:
    status_line, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = status_line.partition(" ")
    status = rest[:3]
    if version != "HTTP/1.1" or not (status.isascii() and status.isdigit() and rest[3:4] in ("", " ")):
        raise unexpected(path, "not HTTP/1.1")
    fields: dict[str, list[str]] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise unexpected(path, "a malformed header")
        fields.setdefault(name.lower(), []).append(value.strip().lower())
    lengths = fields.get("content-length", [])
    codings = fields.get("transfer-encoding", [])
    if codings and (lengths or codings != ["chunked"]):
        raise unexpected(path, "a transfer coding")
    if len(lengths) > 1 or not all(length.isascii() and length.isdigit() for length in lengths):
        raise unexpected(path, "no single Content-Length")
    if lengths and (len(lengths[0]) > _MAX_LENGTH_DIGITS or int(lengths[0]) > _MAX_BODY_BYTES):
        raise unexpected(path, "an oversized body")
    return Head(
        int(status),
        length=int(lengths[0]) if lengths else None,
        chunked=bool(codings),
        keep_alive="close" not in fields.get("connection", []),
    )
