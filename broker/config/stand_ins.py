"""Stand-ins for what could not be read.

Owns: a value of each type, so that the struct around a mistake can be built and its other keys are checked
in the same run. Refuses to know: faults; whoever uses a stand-in has put one on the list.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec import inspect as types

from broker.config.schema import PluginTable

_SIMPLE: Final[dict[type[types.Type], Callable[[], Any]]] = {
    types.BoolType: bool,
    types.IntType: int,
    types.FloatType: float,
    types.DictType: dict,
    types.VarTupleType: tuple,
    types.ListType: list,
}


def stand_in(kind: types.Type) -> Any:
    """Something of the type: empty, zero, or the first choice."""
    match kind:
        case types.Metadata():
            return stand_in(kind.type)
        case types.UnionType():
            return stand_in(kind.types[0])
        case types.StructType() if kind.cls is PluginTable:
            return PluginTable(type="", options=None)
        case types.StructType():
            return kind.cls(**{field.name: stand_in(field.type) for field in kind.fields if field.required})
        case types.LiteralType():
            return kind.values[0]
    return _SIMPLE.get(type(kind), str)()
