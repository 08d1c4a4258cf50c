"""Single values: from what TOML or YAML gave to what the daemon uses.

Owns: durations, modes, paths, groups, URLs, numbers and their bounds. Refuses to know: tables. Every
refusal says what is allowed and never what was there.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from msgspec import inspect as types

from broker.config.accounts import Accounts
from broker.config.paths import PathFault, PathResolver
from broker.oauth import endpoint_url

LONGEST_DURATION_SECONDS: Final = 3650 * 86_400.0

_DURATION: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)", re.ASCII)
_UNIT_SECONDS: Final[Mapping[str, float]] = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_MODE: Final = re.compile(r"0?[0-7]{3}", re.ASCII)

WHAT: Final[Mapping[str, str]] = {
    "duration": 'a duration such as "90s" or "12h", or a number of seconds',
    "mode": 'an octal string such as "0640", in quotes',
    "path": "a path",
    "group": "the name of a group",
    "url": "an https URL",
}
"""How a message calls each `kind` of `broker.options`."""


class LeafFault(ValueError):
    """The value cannot be used; the message says what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaves:
    """Converts single values; knows the surroundings that some kinds ask about."""

    resolver: PathResolver
    accounts: Accounts

    def special(self, kind: str, raw: object, *, bounds: types.Type, insecure_loopback: bool) -> Any:
        """A value of one of the kinds of `broker.options`. Raises LeafFault."""
        match kind, raw:
            case "duration", str() | int() | float() if not isinstance(raw, bool):
                return within(duration_seconds(raw), bounds, unit=" seconds")
            case "mode", str() if _MODE.fullmatch(raw):
                return int(raw, 8)
            case "path", str():
                try:
                    return self.resolver.resolve(raw)
                except PathFault as fault:
                    raise LeafFault(str(fault)) from None
            case "group", str():
                if self.accounts.gid(raw) is None:
                    raise LeafFault("no group of this system has that name; create it or correct the name")
                return raw
            case "url", str():
                wrong = url_fault(raw, allow_insecure_loopback=insecure_loopback)
                if wrong:
                    raise LeafFault(wrong)
                return raw
        raise LeafFault(f"must be {WHAT[kind]}")


def duration_seconds(raw: str | float) -> float:
    """Seconds of `"90s"` or of a number. Raises LeafFault."""
    if isinstance(raw, str):
        parts = _DURATION.fullmatch(raw)
        if parts is None:
            raise LeafFault(f"must be {WHAT['duration']}; units: ms, s, m, h, d")
        seconds = float(parts[1]) * _UNIT_SECONDS[parts[2]]
    else:
        seconds = _finite(raw)
    if not 0 <= seconds <= LONGEST_DURATION_SECONDS:
        raise LeafFault("must be a duration between 0 and 3650 days")
    return seconds


def url_fault(url: str, *, allow_insecure_loopback: bool) -> str | None:
    """Why no secret may be sent to `url` as the operator wrote it (R-006); None if it may."""
    host = endpoint_url.host(url)
    if host is None:
        return "must be an absolute https URL in plain ASCII (write an international host name as xn--...)"
    fault = endpoint_url.fault(
        url, allowed_hosts=frozenset({host}), allow_insecure_loopback=allow_insecure_loopback
    )
    if fault is None or "allow_insecure_loopback" in fault:
        return fault
    return f"{fault}; give an https URL"


def scalar(kind: types.Type, raw: object) -> Any:
    """Text, a boolean or a number within the bounds of its type. Raises LeafFault."""
    match kind, raw:
        case types.BoolType(), bool():
            return raw
        case types.StrType(), str():
            return _text(raw, kind)
        case types.IntType(), int() if not isinstance(raw, bool):
            return within(raw, kind)
        case types.FloatType(), int() | float() if not isinstance(raw, bool):
            return within(_finite(raw), kind)
        case types.LiteralType(), str() | int() if raw in kind.values and not isinstance(raw, bool):
            return raw
    raise LeafFault(f"must be {describe(kind)}")


def within(number: float, kind: types.Type, *, unit: str = "") -> float:
    """The number, if it keeps the bounds that its type carries. Raises LeafFault naming them."""
    if not isinstance(kind, types.IntType | types.FloatType):
        return number
    low_ok = (kind.ge is None or number >= kind.ge) and (kind.gt is None or number > kind.gt)
    high_ok = (kind.le is None or number <= kind.le) and (kind.lt is None or number < kind.lt)
    if low_ok and high_ok:
        return number
    raise LeafFault(f"must be {_bounds(kind)}{unit}" if unit else f"must be {describe(kind)}")


def unwrap(kind: types.Type) -> tuple[Mapping[str, Any], types.Type]:
    """What an annotation says besides the type, and the type."""
    extra: dict[str, Any] = {}
    while isinstance(kind, types.Metadata):
        extra, kind = {**(kind.extra or {}), **extra}, kind.type
    return extra, kind


def describe(kind: types.Type) -> str:
    """What a value of this type is called in a message."""
    extra, kind = unwrap(kind)
    if "kind" in extra:
        return WHAT[extra["kind"]]
    match kind:
        case types.BoolType():
            return "true or false"
        case types.IntType():
            return f"a whole number {_bounds(kind)}".rstrip()
        case types.FloatType():
            return f"a number {_bounds(kind)}".rstrip()
        case types.LiteralType():
            return "one of " + ", ".join(map(json.dumps, sorted(kind.values, key=str)))
        case types.StructType() | types.DictType():
            return "a table"
        case types.VarTupleType() | types.ListType():
            return f"an array, each item {describe(kind.item_type)}"
        case types.UnionType():
            return " or ".join(dict.fromkeys(describe(each) for each in alternatives(kind)))
    return "text"


def alternatives(kind: types.UnionType) -> tuple[types.Type, ...]:
    """The types of a union but None, which no file can say: the key is left out instead."""
    return tuple(each for each in kind.types if not isinstance(each, types.NoneType))


def _bounds(kind: types.IntType | types.FloatType) -> str:
    if kind.ge is not None and kind.le is not None:
        return f"from {kind.ge:g} to {kind.le:g}"
    words = {"at least": kind.ge, "above": kind.gt, "at most": kind.le, "below": kind.lt}
    return " and ".join(f"{word} {bound:g}" for word, bound in words.items() if bound is not None)


def _finite(number: float) -> float:
    try:
        finite = float(number)
    except OverflowError:
        raise LeafFault("must be a smaller number") from None
    if not math.isfinite(finite):
        raise LeafFault("must be a finite number")
    return finite


def _text(raw: str, kind: types.StrType) -> str:
    if kind.min_length is not None and len(raw) < kind.min_length:
        raise LeafFault(f"must have at least {kind.min_length} characters")
    if kind.max_length is not None and len(raw) > kind.max_length:
        raise LeafFault(f"must have at most {kind.max_length} characters")
    if kind.pattern is not None and re.search(_strict(kind.pattern), raw) is None:
        raise LeafFault(f"must match the pattern {kind.pattern}")
    return raw


def _strict(pattern: str) -> str:
    """To Python a newline may follow a final `$`; to JSON Schema, whose patterns these are, nothing may."""
    return f"{pattern[:-1]}\\Z" if pattern.endswith("$") else pattern
