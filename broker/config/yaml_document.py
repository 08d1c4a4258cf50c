"""YAML as a configuration needs it: JSON's values in YAML's clothes.

Owns: the reading of PyYAML's events into plain tables. Refused, with line and column: keys given twice,
keys that are not text, tags, merge keys, more than one document, too many values (aliases may repeat a
table, but not without bound), deep nesting. A plain scalar that YAML 1.1 and 1.2 read differently (`0640`,
`yes`, `1_000`, `12:30`) becomes `Ambiguous`, which no key accepts: Kubernetes tools rewrite such values on
their way here. Dates stay text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

from broker.config.tree import MAX_DEPTH, Ambiguous

MAX_VALUES: Final = 100_000

_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)", re.ASCII)
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)
_AMBIGUOUS: Final = re.compile(
    r"(?:y|yes|n|no|on|off)"  # booleans of 1.1
    r"|[-+]?\.(?:inf|nan)"
    r"|[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:e[-+]?[0-9]+)?"  # 0640, +1, 1_000, .5
    r"|[-+]?0(?:x[0-9a-f_]+|o[0-7_]+|b[01_]+)"
    r"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"  # base 60
    r"|=",
    re.ASCII | re.IGNORECASE,
)
_CONSTANTS: Final[dict[str, bool | None]] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_LONGEST_NUMBER: Final = 64

# libyaml is ten times faster; both give the same events.
_LOADER: Final[Any] = getattr(yaml, "CLoader", yaml.Loader)


class YamlFault(Exception):
    """Where, counted from 1, and what; never any of the text."""

    def __init__(self, mark: Any, message: str) -> None:
        super().__init__(message)
        self.line = mark.line + 1 if mark is not None else 1
        self.column = mark.column + 1 if mark is not None else 1
        self.message = message


def parse(text: str) -> dict[str, Any]:
    """The document's top-level table, empty for an empty file. Raises YamlFault."""
    mark = None
    try:
        return _Reader(yaml.parse(text, Loader=_LOADER)).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
    except yaml.YAMLError:  # a character that no YAML file may have; it carries no position
        pass
    # Outside of the except clauses, so that PyYAML's error, which holds the text, is not even the context.
    raise YamlFault(mark, "not valid YAML: check quotes, indentation (no tabs) and the space after a colon")


class _Reader:
    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._values = 0

    def document(self) -> dict[str, Any]:
        next(self._events)  # the stream's start
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return {}
        first = next(self._events)
        tree = self._value(first, depth=0)
        next(self._events)  # the document's end
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise YamlFault(after.start_mark, "a second document; one file holds one")
        if tree is None:
            return {}
        if not isinstance(tree, dict):
            raise YamlFault(first.start_mark, "must be a table: `key: value` lines")
        return tree

    def _value(self, event: Any, *, depth: int) -> Any:
        self._count(1, event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if event.tag is not None:
            raise YamlFault(event.start_mark, "tags (!...) are not supported; remove it")
        if depth > MAX_DEPTH:
            raise YamlFault(event.start_mark, f"nested deeper than {MAX_DEPTH} levels")
        before = self._values
        value: Any
        if isinstance(event, yaml.MappingStartEvent):
            value = self._table(depth=depth + 1)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._array(depth=depth + 1)
        else:
            value = _scalar(event.value) if event.implicit[0] else event.value
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, self._values - before)
        return value

    def _table(self, *, depth: int) -> dict[str, Any]:
        table: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event)
            if key in table:
                raise YamlFault(event.start_mark, "this key was given before in the same table; remove one")
            table[key] = self._value(next(self._events), depth=depth)
        return table

    def _array(self, *, depth: int) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, depth=depth))
        return items

    def _key(self, event: Any) -> str:
        self._count(1, event)
        if not isinstance(event, yaml.ScalarEvent):
            raise YamlFault(event.start_mark, "a key must be text")
        if event.tag is not None:
            raise YamlFault(event.start_mark, "tags (!...) are not supported; remove it")
        text: str = event.value
        if not event.implicit[0]:
            return text
        if text == "<<":
            raise YamlFault(event.start_mark, "merge keys (<<) are not supported; write the keys out")
        if not isinstance(_scalar(text), str):
            raise YamlFault(event.start_mark, "a key must be text; put it in quotes")
        return text

    def _alias(self, event: Any) -> Any:
        if event.anchor not in self._anchors:
            raise YamlFault(event.start_mark, "an alias (*) without an anchor (&) before it")
        value, size = self._anchors[event.anchor]
        self._count(size, event)
        return value

    def _count(self, values: int, event: Any) -> None:
        self._values += values
        if self._values > MAX_VALUES:
            raise YamlFault(event.start_mark, f"more than {MAX_VALUES} values, aliases written out")


def _scalar(text: str) -> Any:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if len(text) <= _LONGEST_NUMBER:
        if _INTEGER.fullmatch(text):
            return int(text)
        if _NUMBER.fullmatch(text):
            return float(text)
    return Ambiguous() if _AMBIGUOUS.fullmatch(text) else text
