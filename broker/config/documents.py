"""One configuration file, read and parsed into plain tables.

Owns: which suffix means which syntax, the size limit, where a syntax error is. Refuses to know: keys. A
parser's own message may quote the line it stumbled over, so only its position is used.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, Final, cast

from broker.config.tree import MAX_DEPTH
from broker.errors import Fault

MAX_BYTES: Final = 1 << 20

_POSITION: Final = re.compile(r"\(at line (\d+), column (\d+)\)\Z", re.ASCII)
_AT_END: Final = "(at end of document)"
_TOML_CAUSES: Final[Mapping[str, str]] = {
    "Cannot overwrite": "a key is given twice",
    "Cannot declare": "a table is given twice",
    "Cannot mutate": "an inline table or array is extended after it was closed",
    "Unterminated string": "a string is not closed",
    'Expected "\'"': "a string is not closed",
    "Expected newline": "something follows a complete value; is a quote missing?",
    "Invalid value": "no value here; text goes in quotes",
}
_TOML_CAUSE: Final = "check quotes, brackets and the = after a key"


class DocumentFault(Exception):
    """The file cannot be used; the fault's path is its name, with line and column where there are any."""

    def __init__(self, where: str, message: str) -> None:
        super().__init__(f"{where}: {message}")
        self.fault = Fault(where, message)


def read(path: Path) -> dict[str, Any]:
    """The file's tables: str keys, plain values, dates as text. Raises DocumentFault."""
    parser = _PARSERS.get(path.suffix)
    if parser is None:
        raise DocumentFault(str(path), "unknown suffix; a configuration file ends in .toml, .yaml or .yml")
    text = _text(path)
    return parser(path, text)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise DocumentFault(str(path), "no such file; name an existing one with --config") from None
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise DocumentFault(
            str(path), f"cannot be read ({why}); correct its permissions or --config"
        ) from None
    if len(content) > MAX_BYTES:
        raise DocumentFault(str(path), "is larger than 1 MiB; split it with include")
    line = _first_line_not_utf8(content)
    if line is not None:
        raise DocumentFault(f"{path}:{line}", "is not UTF-8 text")
    return content.decode("utf-8-sig")


def _first_line_not_utf8(content: bytes) -> int | None:
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return content.count(b"\n", 0, error.start) + 1
    return None


def _toml(path: Path, text: str) -> dict[str, Any]:
    where, message = str(path), f"not valid TOML: {_TOML_CAUSE}"
    try:
        tree = _plain(tomllib.loads(text), depth=0)
    except tomllib.TOMLDecodeError as error:
        said = str(error)
        position = _POSITION.search(said)
        if position:
            where = f"{path}:{position[1]}:{position[2]}"
        elif said.endswith(_AT_END):
            where = f"{path}:{text.rstrip().count(chr(10)) + 1}"
        causes = (cause for prefix, cause in _TOML_CAUSES.items() if said.startswith(prefix))
        message = f"not valid TOML: {next(causes, _TOML_CAUSE)}"
    except RecursionError:
        message = "not valid TOML: nested too deeply"
    except ValueError:
        message = "not valid TOML: a number has too many digits"
    else:
        return cast("dict[str, Any]", tree)
    # Outside of the except clauses, so that the parser's error, which holds text, is not even the context.
    raise DocumentFault(where, message)


def _yaml(path: Path, text: str) -> dict[str, Any]:
    from broker.config import yaml_document  # a tenth of the start of a daemon whose files are TOML

    try:
        return yaml_document.parse(text)
    except yaml_document.YamlFault as fault:
        raise DocumentFault(f"{path}:{fault.line}:{fault.column}", fault.message) from None


def _plain(value: Any, *, depth: int) -> Any:
    """TOML's dates as text: YAML's are text already, and no key wants anything else."""
    if depth > MAX_DEPTH:  # dotted keys nest without recursion in the parser
        raise RecursionError
    match value:
        case dict():
            return {key: _plain(item, depth=depth + 1) for key, item in value.items()}
        case list():
            return [_plain(item, depth=depth + 1) for item in value]
        case date() | datetime() | time():
            return value.isoformat()
    return value


_PARSERS: Final[Mapping[str, Callable[[Path, str], dict[str, Any]]]] = {
    ".toml": _toml,
    ".yaml": _yaml,
    ".yml": _yaml,
}
