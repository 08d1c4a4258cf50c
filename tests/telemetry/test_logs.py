"""Whose records are written, and what the interpreter's own channels say."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
import warnings
from collections.abc import Iterator

import pytest

from broker.telemetry.logs import LIBRARIES, asyncio_exception_handler, configure
from tests.telemetry.logged import logged

CANARY = "S3CR3T-canary"


@pytest.fixture
def root_at_debug() -> Iterator[None]:
    """What a well-meaning person may do."""
    root = logging.getLogger()
    before = root.level
    yield
    root.setLevel(before)


@pytest.mark.canary_expected
@pytest.mark.usefixtures("root_at_debug")
@pytest.mark.parametrize("name", [*LIBRARIES, "botocore.parsers", "httpcore2.http11", "some.plugin"])
def test_what_libraries_say_below_warning_is_never_written(name: str) -> None:
    """F-55, R-112: with the root logger at DEBUG, and even a library's own at DEBUG."""
    library = logging.getLogger(name)
    before = library.level
    with logged("debug") as log:
        logging.getLogger().setLevel(logging.DEBUG)
        library.debug("Response body: %s", CANARY)
        library.setLevel(logging.DEBUG)
        library.debug("Response body: %s", CANARY)
        library.info(f"body {CANARY}")
        assert "" == log.text
    library.setLevel(before)


@pytest.mark.parametrize("name", LIBRARIES)
def test_libraries_are_pinned_whatever_the_root_says(name: str) -> None:
    """F-55: a second handler of somebody else's gets nothing either."""
    with logged("debug"):
        assert not logging.getLogger(name).isEnabledFor(logging.INFO)


@pytest.mark.canary_expected
def test_a_librarys_warning_shows_its_template_only() -> None:
    """R-156: its arguments and its ready-made texts may hold values."""
    with logged() as log:
        logging.getLogger("urllib3.connectionpool").warning("Retrying after %r", ValueError(CANARY))
        logging.getLogger("urllib3").warning(f"Retrying {CANARY}")  # noqa: G004 - as libraries do
        assert CANARY not in log.text
        first, second = log.lines
        assert ("library", "urllib3.connectionpool", "Retrying after %r") == (
            first["event"],
            first["logger"],
            first["message"],
        )
        assert first["at"].startswith("telemetry/test_logs.py:")
        assert "a message, not shown since it may hold values" == second["message"]


def test_the_level_is_ours() -> None:
    """Below it nothing is written, and a reload changes it."""
    ours = logging.getLogger("broker.tests")
    with logged("warning") as log:
        ours.info("before")
        assert log.logging is configure("info", "json")
        ours.info("after")
        assert "after" == log.line["message"]


def test_an_uncaught_exception_keeps_its_words() -> None:
    """R-155: sys.excepthook; an interrupt at the keyboard is no news."""
    with logged() as log:
        sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
        sys.excepthook(ValueError, ValueError(CANARY), None)
        assert ("uncaught", "ValueError") == (log.line["event"], log.line["error"])
        assert CANARY not in log.text


def test_a_failed_thread_is_told_by_name() -> None:
    """R-155: threading.excepthook."""

    def fail() -> None:
        raise ValueError(CANARY)

    with logged() as log:
        thread = threading.Thread(target=fail, name="worker-1")
        thread.start()
        thread.join()
        assert ("thread_failed", "worker-1") == (log.line["event"], log.line["thread_name"])
        assert "telemetry/test_logs.py" in log.line["error"]
        assert CANARY not in log.text


def test_an_unraisable_error_is_told() -> None:
    """R-155: sys.unraisablehook."""

    class Noisy:
        def __del__(self) -> None:
            raise ValueError(CANARY)

    with logged() as log:
        Noisy()
        gc.collect()
        assert "unraisable" == log.line["event"]
        assert CANARY not in log.text


def test_a_warning_is_told_by_class_and_place() -> None:
    """R-155: its text may be the repr of anything."""
    with warnings.catch_warnings(), logged() as log:
        warnings.simplefilter("always")
        warnings.warn(f"unclosed {CANARY}", ResourceWarning, stacklevel=1)
        assert "ResourceWarning at " in log.line["message"]
        assert CANARY not in log.text


def test_the_event_loop_tells_without_arguments() -> None:
    """R-155: asyncio's own handler would print those of the callback."""

    def fail(value: str) -> None:
        raise ValueError(value)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(asyncio_exception_handler)
        loop.call_soon(fail, CANARY)
        await asyncio.sleep(0)

    with logged() as log:
        asyncio.run(main())
        assert ("event_loop_error", "a callback of the event loop failed") == (
            log.line["event"],
            log.line["message"],
        )
        assert CANARY not in log.text


def test_a_forgotten_task_is_named() -> None:
    """R-155: Task exception was never retrieved."""

    async def fail() -> None:
        raise ValueError(CANARY)

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(asyncio_exception_handler)
        task = asyncio.create_task(fail(), name="renew deploy")
        await asyncio.wait([task])
        del task
        gc.collect()

    with logged() as log:
        asyncio.run(main())
        assert ("renew deploy", "Task exception was never retrieved") == (
            log.line["task"],
            log.line["message"],
        )
        assert CANARY not in log.text


def test_closing_puts_everything_back() -> None:
    """As if it had never been there."""
    root = logging.getLogger()
    before = (list(root.handlers), root.level, sys.excepthook, threading.excepthook, sys.unraisablehook)
    with logged("error"):
        assert before[0] != root.handlers
    assert before == (
        list(root.handlers),
        root.level,
        sys.excepthook,
        threading.excepthook,
        sys.unraisablehook,
    )
