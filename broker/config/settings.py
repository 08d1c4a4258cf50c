"""Every single setting of a decoded configuration, plug-ins' tables included.

Owns: the walk from a struct to its leaves, with what the annotation of each says. Refuses to know: what is
done with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import inspect as types

from broker.config.faults import item, join
from broker.config.leaves import alternatives, unwrap
from broker.config.schema import PluginTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A value at its key path; `marks` is the `extra` of its annotation, such as `{"kind": "path"}`."""

    path: str
    marks: Mapping[str, Any]
    value: Any


def settings(table: msgspec.Struct, path: str = "") -> Iterator[Setting]:
    """The settings that have a value, in the order of the fields."""
    for field in fields_of(type(table)):
        yield from _within(field.type, getattr(table, field.name), join(path, field.encode_name))


def fields_of(struct: Any) -> tuple[types.Field, ...]:
    """The fields of a struct, with their types."""
    kind = types.type_info(struct)
    return kind.fields if isinstance(kind, types.StructType) else ()


def _within(kind: types.Type, value: Any, path: str) -> Iterator[Setting]:
    marks, kind = unwrap(kind)
    match value:
        case None:
            return
        case PluginTable():
            if value.options is not None:
                yield from settings(value.options, path)
        case msgspec.Struct():
            yield from settings(value, path)
        case dict() if isinstance(kind, types.DictType):
            for key, each in value.items():
                yield from _within(kind.value_type, each, join(path, key))
        case tuple() | list() if isinstance(kind, types.VarTupleType | types.ListType):
            for index, each in enumerate(value):
                yield from _within(kind.item_type, each, item(path, index))
        case _:
            for each in alternatives(kind) if isinstance(kind, types.UnionType) else ():
                marks = {**unwrap(each)[0], **marks}
            yield Setting(path=path, marks=marks, value=value)
