"""The sentences under the fields of a struct.

Owns: reading them from the source, since Python keeps no docstrings of fields. Refuses to know: what they
are shown in.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import lru_cache
from itertools import pairwise
from typing import Any


@lru_cache
def of_fields(struct: Any) -> dict[str, str]:
    """The docstring of each field, on one line; a class without source has none."""
    found: dict[str, str] = {}
    for cls in reversed(struct.__mro__):
        for statement, following in pairwise(_statements(cls)):
            match statement, following:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    found[name] = one_line(text)
    return found


def of_class(struct: Any) -> str:
    """The docstring of the struct itself, on one line."""
    return one_line(struct.__doc__ or "")


def one_line(text: str) -> str:
    """The text without line breaks."""
    return " ".join(text.split())


def _statements(cls: type) -> list[ast.stmt]:
    try:
        source = inspect.getsource(cls)
    except (OSError, TypeError):
        return []
    definition = ast.parse(textwrap.dedent(source)).body[0]
    return definition.body if isinstance(definition, ast.ClassDef) else []
