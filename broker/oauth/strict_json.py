"""JSON from a server that may be broken or hostile.

Owns: one way to read a JSON object, which refuses what `json.loads` accepts: a BOM, other encodings than
UTF-8, members given twice, NaN and Infinity, lone surrogates, deep nesting, numbers without end (RFC 8259
4, 6, 8.1; RFC 7493 2). Refuses to know: what the members mean. No error carries any part of the body, not
even through its context.
"""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

from broker.errors import ProtocolError

DEEPEST_NESTING: Final = 32
LONGEST_NUMBER: Final = 40


class _RefusedError(ValueError):
    """Raised inside the decoder; its text is one of ours."""


def loads_object(body: bytes, *, what: str = "the answer") -> dict[str, Any]:
    """The JSON object in `body`. Raises only ProtocolError, which says what is wrong and shows none of it."""
    value, fault = _decode(body)
    if fault is None and not isinstance(value, dict):
        fault = "is not a JSON object"
    if fault is None:
        fault = _shape_fault(value)
    if fault is not None:
        # Not raised in an except clause: JSONDecodeError holds the whole document and would be the context.
        raise ProtocolError(f"{what} {fault}", code="malformed_json")
    return dict(value)


def _decode(body: bytes) -> tuple[Any, str | None]:
    try:
        text = body.decode("utf-8")
        return json.loads(
            text,
            object_pairs_hook=_members,
            parse_constant=_refuse_constant,
            parse_int=_integer,
            parse_float=_float,
        ), None
    except _RefusedError as refused:
        return None, str(refused)
    except RecursionError:
        return None, "is nested too deeply"
    except UnicodeDecodeError:
        return None, "is not UTF-8 text"
    except ValueError:
        return None, "is not valid JSON"


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _RefusedError("gives a JSON member twice")
    return members


def _refuse_constant(_: str) -> NoReturn:
    raise _RefusedError("holds NaN or Infinity, which JSON has not")


def _integer(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise _RefusedError("holds a number with too many digits")
    return int(digits)


def _float(digits: str) -> float:
    if len(digits) > LONGEST_NUMBER:
        raise _RefusedError("holds a number with too many digits")
    number = float(digits)
    if number in {float("inf"), float("-inf")}:
        raise _RefusedError("holds a number out of range")
    return number


def _shape_fault(value: Any) -> str | None:
    """Walk without recursion; the decoder already bounded the size by its own recursion limit."""
    level: list[Any] = [value]
    for _ in range(DEEPEST_NESTING):
        below: list[Any] = []
        for item in level:
            children: list[Any] = [*item, *item.values()] if isinstance(item, dict) else item
            for child in children:
                if isinstance(child, str):
                    if not _is_text(child):
                        return "holds a lone surrogate"
                elif isinstance(child, dict | list):
                    below.append(child)
        if not below:
            return None
        level = below
    return "is nested too deeply"


def _is_text(string: str) -> bool:
    try:
        string.encode()
    except UnicodeEncodeError:
        return False
    return True
