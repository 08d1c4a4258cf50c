"""A log record as a line: its order, its time, and what of it is shown."""

from __future__ import annotations

import json
import logging
import re

import pytest

from broker.errors import TransportError
from broker.telemetry.lines import describe
from tests.telemetry.logged import logged

OURS = logging.getLogger("broker.tests")


class Stranger(Exception):
    """An exception of somebody else's, with values in its words."""


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    """The same exception after it was raised."""
    error.__cause__ = cause
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


def test_a_line_has_its_members_in_order() -> None:
    """As the interface says: time, level, event, token, the rest, message."""
    with logged() as log:
        OURS.warning("no answer", extra={"event": "mint_failed", "attempt": 3, "token": "deploy"})
        line = log.text
    assert ["time", "level", "event", "token", "attempt", "message"] == list(json.loads(line))
    members = json.loads(line)
    assert ("warning", "mint_failed", "deploy", 3, "no answer") == tuple(members.values())[1:]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", members["time"])


def test_what_does_not_apply_is_left_out() -> None:
    """A record without a token has no member for it."""
    with logged() as log:
        OURS.info("started")
        assert ["time", "level", "event", "message"] == list(log.line)


def test_a_line_is_one_line_and_ascii() -> None:
    """Nobody can forge a second one."""
    with logged() as log:
        OURS.info('one\n{"level":"error"}\r\u2028\x1b[31m é')
        assert 1 == log.text.count("\n")
        assert log.text.isascii()
        assert 'one\n{"level":"error"}\r\u2028\x1b[31m é' == log.line["message"]


def test_text_is_for_people() -> None:
    """Level, event, token, message, details; control characters are shown, not obeyed."""
    with logged(format="text") as log:
        OURS.warning(
            "no\nanswer\x1b[31m\x9b", extra={"event": "mint_failed", "token": "deploy", "attempt": 3}
        )
        assert log.text.endswith(" warning mint_failed deploy: no; answer\\x1b[31m\\x9b (attempt=3)\n")


def test_objects_are_shown_by_type_only() -> None:
    """A field is a plain value; whatever else got there is not asked for its words."""
    with logged() as log:
        OURS.info("x", extra={"body": b"S3CR3T-1", "error_object": Stranger("S3CR3T-2"), "ratio": 0.123456})
        assert ("<bytes>", "<Stranger>", 0.123) == (
            log.line["body"],
            log.line["error_object"],
            log.line["ratio"],
        )


def test_long_words_are_cut() -> None:
    """A line stays a line."""
    with logged() as log:
        OURS.info("x" * 100_000)
        assert 2_003 == len(log.line["message"])


def test_a_foreign_exception_is_told_by_type_and_place() -> None:
    """R-156: its words stay out, those of its causes too."""
    with logged() as log:
        try:
            raise raised(Stranger("S3CR3T-1"), cause=KeyError("S3CR3T-2"))
        except Stranger:
            OURS.exception("failed")
        assert "S3CR3T" not in log.text
        assert re.fullmatch(
            r"Stranger at telemetry/test_lines.py:\d+ test_a_foreign_exception_is_told_by_type_and_place"
            r"( > telemetry/test_lines.py:\d+ raised)? < KeyError",
            log.line["error"],
        ), log.line["error"]


def test_our_own_errors_speak() -> None:
    """A BrokerError's message is made to be shown."""
    error = raised(TransportError("as.example:443: connection refused"))
    assert "TransportError 'as.example:443: connection refused' at " in describe(error)


@pytest.mark.parametrize(
    ("error", "start"),
    [
        (
            ExceptionGroup("S3CR3T-1", [ValueError("S3CR3T-2"), KeyError("S3CR3T-3")]),
            "ExceptionGroup of [ValueError; KeyError]",
        ),
        (raised(ValueError("S3CR3T-1")), "ValueError at "),
    ],
)
def test_every_shape_of_exception_is_described(error: BaseException, start: str) -> None:
    """Groups by their members."""
    assert describe(error).startswith(start)
    assert "S3CR3T" not in describe(error)


def test_causes_in_a_circle_end() -> None:
    """However odd the chain is."""
    first, second = ValueError(), KeyError()
    first.__cause__, second.__cause__ = second, first
    assert "ValueError < KeyError" == describe(first)


def test_a_record_that_cannot_be_formatted_is_counted() -> None:
    """Python's own way would print its arguments on standard error."""
    with logged() as log:
        handler = log.logging._handler
        for message in ("%d", "after %s"):
            handler.handle(logging.LogRecord("broker.x", logging.INFO, "x.py", 1, message, ("value",), None))
        assert ["log_lines_lost", "log"] == [line["event"] for line in log.lines]
        assert 1 == log.logging.dropped
