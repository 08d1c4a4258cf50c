"""Secrets used in tests contain `S3CR3T-`; a test after which that is found where it must not be, fails.

What real servers make up is known by its shape (Vault tokens, JSON Web Tokens) or was handed to `remember`.

Owns: the search. A pytest plugin: it raises the root logger to DEBUG for the whole run, with the libraries
pinned as the daemon pins them, and looks at every log record of the broker and its libraries, at warnings, at
what tests and their children print on standard output and error, and at files that a test hands to `watch`.
Refuses to know: which secrets there are.

Records of `tests.*` and of servers that run inside the test process are not ours. An exception that a record
carries is searched as it is written, that is, by type and place. A test that must show the marker itself says
so: `@pytest.mark.canary_expected`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Generator
from pathlib import Path
from typing import Final

import pytest

from broker.telemetry.lines import JsonFormatter
from broker.telemetry.logs import pin_libraries

MARKER: Final = "S3CR3T-"
SHAPES: Final = re.compile(
    r"""
    S3CR3T-
    | (?<![\w.-]) (?: hv[sbr] | [sbr] ) \. [A-Za-z0-9_-]{24,}      # Vault's and OpenBao's tokens
    | (?<![\w-]) eyJ [\w-]{16,} \. eyJ [\w-]{16,} \. [\w-]{16,}   # a signed JSON Web Token
    """,
    re.ASCII | re.VERBOSE,
)

_NOT_OURS: Final = frozenset({"tests", "moto", "werkzeug", "hypothesis", "root", "faker"})
_PRINTED: Final = ("Captured stdout", "Captured stderr")
_EXCERPT_CHARACTERS: Final = 160


def assert_silent(error: BaseException) -> None:
    """Fail if an exception, or one it came from, shows the marker in its text, repr, arguments or notes."""
    current: BaseException | None = error
    while current is not None:
        shown = [str(current), repr(current), *map(repr, current.args), *getattr(current, "__notes__", ())]
        assert not [text for text in shown if MARKER in text], f"{type(current).__name__} shows a secret"
        current = current.__cause__ or current.__context__


def watch(path: Path) -> Path:
    """Search this file, standard error of a child for instance, when the running test ends."""
    _search.files.append(path)
    return path


def remember(secret: str) -> str:
    """Search for this as well, from now on: a real server made it up, and its shape says nothing."""
    _search.remembered.add(secret)
    return secret


def taken() -> list[str]:
    """What was found in this test so far, which is not held against it then."""
    return _search.take()


class _Search(logging.Handler):
    """Every record is looked at when it is made: later its arguments may have changed."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.found: list[str] = []
        self.files: list[Path] = []
        self.remembered: set[str] = set()
        self._formatter = JsonFormatter()

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.partition(".")[0] in _NOT_OURS:
            return
        try:
            shown = f"{record.getMessage()} {self._formatter.format(record)} {record.stack_info or ''}"
        except Exception:  # noqa: BLE001 - a broken record is searched in its parts
            shown = f"{record.msg!r} {record.args!r}"
        self.look(f"log record of {record.name} ({record.levelname})", shown)

    def look(self, where: str, text: str) -> None:
        """Take note if `text` shows a secret."""
        shaped = SHAPES.search(text)
        place = shaped.start() if shaped else max((text.find(each) for each in self.remembered), default=-1)
        if place >= 0:
            self.found.append(f"{where}: {text[max(0, place - 60) : place + _EXCERPT_CHARACTERS]!r}")

    def take(self) -> list[str]:
        """What was found since the last time."""
        files, self.files = self.files, []
        for path in files:
            if path.exists():
                self.look(str(path), path.read_text(errors="replace"))
        found, self.found = self.found, []
        return found


_search = _Search()


def pytest_configure(config: pytest.Config) -> None:
    """Begin."""
    config.addinivalue_line("markers", "canary_expected: the test itself shows a marked secret, on purpose")
    root = logging.getLogger()
    root.addHandler(_search)
    root.setLevel(logging.DEBUG)
    pin_libraries()


def pytest_unconfigure() -> None:
    """End."""
    logging.getLogger().removeHandler(_search)


def pytest_warning_recorded(warning_message: object, nodeid: str) -> None:
    """Look at warnings that were not errors."""
    _search.look(f"warning in {nodeid}", str(warning_message))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn what was found into a failure of the test; a test that failed anyway keeps its own words."""
    report = yield
    if call.when == "teardown":
        for name, text in report.sections:
            if name.startswith(_PRINTED):
                _search.look(name, text)
        found = _search.take()
        if found and not item.get_closest_marker("canary_expected"):
            report.outcome = "failed"
            report.longrepr = "\n".join(["a secret was shown:", *dict.fromkeys(found)])
    return report
