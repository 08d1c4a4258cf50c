"""Where the interpreter tells of errors that nobody caught: all of it becomes log records, without values.

Owns: the hooks of sys, threading, warnings and asyncio. Refuses to know: formats. Python's own hooks print
the words of exceptions, and asyncio's handler prints arguments of callbacks; either may hold a secret.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any, Final

log = logging.getLogger(__name__)

_KNOWN_TO_ASYNCIO: Final = frozenset(
    {
        "Future exception was never retrieved",
        "Task exception was never retrieved",
        "Task was destroyed but it is pending!",
        "An error occurred during closing of asynchronous generator",
    }
)


def install() -> Callable[[], None]:
    """Take the hooks over; the answer gives them back."""
    before = sys.excepthook, sys.unraisablehook, threading.excepthook, warnings.showwarning
    sys.excepthook = _uncaught
    sys.unraisablehook = _unraisable
    threading.excepthook = _thread_failed
    warnings.showwarning = _warned  # type: ignore[assignment]  # it takes what it does not show unnamed

    def restore() -> None:
        sys.excepthook, sys.unraisablehook, threading.excepthook, warnings.showwarning = before

    return restore


def asyncio_exception_handler(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """For `loop.set_exception_handler`."""
    said = str(context.get("message", ""))
    task = context.get("task") or context.get("future")
    log.error(
        said if said in _KNOWN_TO_ASYNCIO else "a callback of the event loop failed",
        extra={
            "event": "event_loop_error",
            "task": task.get_name() if isinstance(task, asyncio.Task) else None,
        },
        exc_info=context.get("exception"),
    )


def _uncaught(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        log.critical("the program ends", extra={"event": "uncaught"}, exc_info=(kind, error, trace))


def _unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    log.error(
        "an error where none can be raised",
        extra={"event": "unraisable", "in": type(unraisable.object).__qualname__},
        exc_info=unraisable.exc_value,
    )


def _thread_failed(failure: threading.ExceptHookArgs) -> None:
    if not issubclass(failure.exc_type, SystemExit):
        log.error(
            "a thread ended",
            extra={"event": "thread_failed", "thread_name": failure.thread.name if failure.thread else None},
            exc_info=failure.exc_value,
        )


def _warned(
    _: Warning | str, category: type[Warning], filename: str, lineno: int, *_file_and_line: Any
) -> None:
    log.warning("%s at %s:%d", category.__name__, filename, lineno, extra={"event": "python_warning"})
