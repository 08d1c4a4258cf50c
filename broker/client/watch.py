"""The stream of `/v1/watch`: a record a line, first of all tokens, then of each that changes.

Owns: the open connection, the framing of lines (RFC 9112 7.1). Refuses to know: what is done with records, and
how often a lost stream is opened again.
"""

import json
from time import monotonic

from broker.client import message, routes
from broker.client.errors import UnexpectedAnswer, from_problem
from broker.client.fetch import ANSWER_SECONDS
from broker.client.wire import connect, receive, trouble

Record = dict[str, object]

_MAX_LINE_BYTES = 1024 * 1024
_MAX_SIZE_DIGITS = 8


class Watch:
    """An open stream. Raises TokenClientError where it is made: AccessDenied, BrokerUnreachable, UnexpectedAnswer."""

    def __init__(self, path: str) -> None:
        self._path = path
        deadline = monotonic() + ANSWER_SECONDS
        self._connection = connect(path, deadline)
        try:
            self._lines = self._open(deadline)
        except BaseException:
            self.close()
            raise

    def read(self, *, timeout_seconds: float) -> list[Record]:
        """The records that came, as soon as there are any; none if the time is over first.

        Raises BrokerUnreachable at the end of the stream, UnexpectedAnswer for what is no record.
        """
        deadline = monotonic() + timeout_seconds
        while True:
            records = self._lines.take()
            if records:
                return records
            try:
                self._lines.feed(receive(self._connection, deadline, self._path))
            except TimeoutError:
                return []
            except OSError as error:
                raise trouble(error, self._path) from None

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _open(self, deadline: float) -> "Lines":
        reader = message.HeadReader(self._path)
        try:
            self._connection.sendall(message.request("GET", routes.WATCH, accept="application/x-ndjson"))
            while reader.head is None:
                reader.feed(receive(self._connection, deadline, self._path))
            head, body = reader.head, reader.rest
            if head.status != message.OK:
                while len(body) < (head.length or 0):
                    body += receive(self._connection, deadline, self._path)
                raise from_problem(head.status, body)
        except OSError as error:
            raise trouble(error, self._path) from None
        lines = Lines(self._path, chunked=head.chunked)
        lines.feed(body)
        return lines


class Lines:
    """Puts records together from the pieces that arrive."""

    def __init__(self, path: str, *, chunked: bool) -> None:
        """`path` is the socket's, for messages."""
        self._path = path
        self._chunked = chunked
        self._framed = b""
        self._left = 0
        self._text = b""

    def feed(self, data: bytes) -> None:
        """Take what arrived. Raises UnexpectedAnswer."""
        if not self._chunked:
            self._text += data
        else:
            self._framed += data
            self._unframe()
        if len(self._text) > _MAX_LINE_BYTES and b"\n" not in self._text:
            raise self._unexpected("a line without an end")

    def take(self) -> list[Record]:
        """The records that are whole, in order. Raises UnexpectedAnswer."""
        *lines, self._text = self._text.split(b"\n")
        return [self._record(line) for line in lines if line.strip()]

    def _unframe(self) -> None:
        while self._framed:
            if self._left:
                piece = self._framed[: self._left]
                self._framed = self._framed[len(piece) :]
                self._left -= len(piece)
                self._text += piece
                continue
            line, found, rest = self._framed.lstrip(b"\r\n").partition(b"\r\n")
            size = line.partition(b";")[0].strip()
            if len(size) > _MAX_SIZE_DIGITS or size.strip(b"0123456789abcdefABCDEF"):
                raise self._unexpected("a malformed chunk")
            if not found:
                return
            self._framed = rest
            self._left = int(size or b"0", 16)

    def _record(self, line: bytes) -> Record:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict) or not isinstance(record.get("name"), str):
            raise self._unexpected("a line that is no record")
        return record

    def _unexpected(self, what: str) -> UnexpectedAnswer:
        return message.unexpected(self._path, what)
