"""What an exception means on the command line: its exit code, and one line for people.

Owns: the mapping of docs/interface.md 2 and 7. Refuses to know: verbs. An unexpected exception is told by
its type and place only: its text could hold a value.
"""

import os

from broker.cli.options import UsageError
from broker.cli.streams import complain
from broker.client.errors import (
    AccessDenied,
    BrokerUnreachable,
    RequestInvalid,
    TokenClientError,
    TokenUnavailable,
    TryAgainLater,
    UnexpectedAnswer,
)

_EXIT_CODES: dict[type[TokenClientError], int] = {
    RequestInvalid: os.EX_USAGE,
    TokenUnavailable: os.EX_UNAVAILABLE,
    UnexpectedAnswer: os.EX_SOFTWARE,
    BrokerUnreachable: os.EX_TEMPFAIL,
    TryAgainLater: os.EX_TEMPFAIL,
    AccessDenied: os.EX_NOPERM,
}

_TAKEN = ("already_running", "socket_in_use")
"""Codes of the errors that say that another instance has what this one wanted."""


def explain(error: Exception) -> int:
    """Tell `error` on standard error; the exit code for it."""
    if isinstance(error, UsageError):
        complain(f"token-broker: {error}")
        return os.EX_USAGE
    if isinstance(error, TokenClientError):
        complain(f"token-broker: {error}")
        return _EXIT_CODES.get(type(error), os.EX_SOFTWARE)

    # Not before: client verbs fail quickly too, and never load this.
    from broker.errors import BrokerError, ConfigError, PluginError

    if isinstance(error, ConfigError):
        for fault in error.faults:
            complain(str(fault))
        return os.EX_CONFIG
    if isinstance(error, BrokerError):
        complain(f"token-broker: {error.message}")
        if error.code in _TAKEN:
            return os.EX_CANTCREAT
        return os.EX_CONFIG if isinstance(error, PluginError) else os.EX_SOFTWARE
    if isinstance(error, OSError):
        what = error.strerror or str(error)
        complain(f"token-broker: {what}: {error.filename}" if error.filename else f"token-broker: {what}")
        return os.EX_SOFTWARE
    cause: BaseException = error
    while isinstance(cause, BaseExceptionGroup):
        cause = cause.exceptions[0]
    kind = type(cause).__name__
    if isinstance(cause, ImportError):
        kind += f" of {cause.name}"
    complain(f"token-broker: internal error: {kind} at {_place(cause)}; please report it")
    return os.EX_SOFTWARE


def _place(error: BaseException) -> str:
    """Module and line of the innermost frame that is ours."""
    place = "an unknown place"
    trace = error.__traceback__
    while trace is not None:
        module = trace.tb_frame.f_globals.get("__name__", "")
        if module.partition(".")[0] in ("broker", "backends"):
            place = f"{module}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
