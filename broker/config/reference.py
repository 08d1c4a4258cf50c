"""The reference of all keys, `docs/configuration.md`, written from the schema and its docstrings.

Owns: the page. Refuses to know: anything that is not said in the schema, in the options of a plug-in, or in
the prose below.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import inspect as types

from broker.config import docstrings
from broker.config.leaves import alternatives, describe, unwrap
from broker.config.schema import (
    AllowTable,
    AuthorizationServerTable,
    BrokerTable,
    CacheTable,
    Config,
    LogTable,
    OpsTable,
    SocketTable,
    TokenTable,
)
from broker.config.settings import fields_of
from broker.config.vocabulary import Vocabulary
from broker.options import SecretRef

_INTRODUCTION: Final = """\
# Configuration

One schema in two spellings, chosen by the file's suffix: TOML (`.toml`) and YAML (`.yaml`, `.yml`).
`token-broker check` tells every mistake at once, each with its key path; `token-broker schema` prints
the JSON Schema for editors.

- **Unknown keys** are errors, with the nearest known key. So is a key given twice, also in two included
  files.
- **Durations** are `"500ms"`, `"90s"`, `"15m"`, `"12h"`, `"30d"` or a number of seconds.
- **File modes** are octal strings, in quotes: `"0640"`.
- **Paths** that are relative start at `broker.runtime_dir`, which itself starts at the current
  directory. `${CREDENTIALS_DIRECTORY}`, `${RUNTIME_DIRECTORY}` and `${STATE_DIRECTORY}` expand in
  paths; nothing else does.
- **Names** of tokens, secret backends and authorization servers have 1 to 64 of `A-Z a-z 0-9 . _ -` and
  begin with a letter or digit.
- **Secrets** are never written here; a reference says where one is kept.
- **URLs** are https. Plain http is accepted to a loopback address only, where the same table says
  `allow_insecure_loopback = true`.
- **YAML**: no tags, no merge keys, no empty values; what YAML 1.1 and 1.2 read differently (`yes`,
  `0640`) needs quotes.

This page is generated from the schema; `tests/config/test_reference.py` says how.
"""

_TABLES: Final[tuple[tuple[str, type[Any]], ...]] = (
    ("[broker]", BrokerTable),
    ("[cache]", CacheTable),
    ("[socket]", SocketTable),
    ("[ops]", OpsTable),
    ("[log]", LogTable),
    ("[authorization_servers.NAME]", AuthorizationServerTable),
    ("[tokens.NAME]", TokenTable),
    ("[tokens.NAME.allow]", AllowTable),
    ("A reference to a secret", SecretRef),
)

_KINDS: Final = {
    "duration": "duration",
    "mode": "file mode",
    "path": "path",
    "group": "group",
    "url": "https URL",
}


def page(vocabulary: Vocabulary) -> str:
    """The page, with the options of everything that is installed."""
    parts = [_INTRODUCTION, *_section("Top level", Config)]
    for title, struct in _TABLES:
        parts += _section(_code(title), struct)
    for name in vocabulary.types("secret_backends"):
        parts += _plugin(
            f'`[secret_backends.NAME]` with `type = "{name}"`', vocabulary.options("secret_backends", name)
        )
    for name in vocabulary.types("sinks"):
        title = f'`[[tokens.NAME.sinks]]` with `type = "{name}"`'
        if name == "file":
            title = f"`[[tokens.NAME.files]]`, or {title}"
        parts += _plugin(title, vocabulary.options("sinks", name))
    return "\n".join(parts)


def _plugin(title: str, options: Any) -> Iterator[str]:
    if isinstance(options, str):
        return
    yield from _section(title, options)
    for field in fields_of(options):
        for choice in _tables_within(field.type):
            if choice.tag_field:
                yield from _section(
                    f'`{field.encode_name}` with `{choice.tag_field} = "{choice.tag}"`', choice.cls, "###"
                )
            elif choice.cls is not SecretRef:
                yield from _section(f"`{field.encode_name}`", choice.cls, "###")


def _section(title: str, struct: Any, level: str = "##") -> Iterator[str]:
    yield f"{level} {title}\n"
    sentence = docstrings.of_class(struct)
    if sentence and sentence.strip(".`") != title.strip("`") and struct is not Config:
        yield f"{sentence}\n"
    yield "| key | value | default | |"
    yield "|---|---|---|---|"
    meanings = docstrings.of_fields(struct)
    for field in fields_of(struct):
        meaning = meanings.get(field.encode_name, "")
        cells = (f"`{field.encode_name}`", _kind(field.type), _default(field), meaning)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""


def _tables_within(kind: types.Type) -> Iterator[types.StructType]:
    kind = unwrap(kind)[1]
    for each in alternatives(kind) if isinstance(kind, types.UnionType) else (kind,):
        if isinstance(each, types.StructType):
            yield each


def _kind(kind: types.Type) -> str:
    if isinstance(kind, types.UnionType) and len(alternatives(kind)) > 1:
        return " or ".join(dict.fromkeys(map(_kind, alternatives(kind))))
    marks, inner = unwrap(kind)
    if isinstance(kind, types.UnionType):
        return _kind(alternatives(kind)[0])
    if "kind" in marks:
        return _KINDS[marks["kind"]]
    if isinstance(inner, types.StructType) and inner.cls is SecretRef:
        return "reference to a secret"
    if isinstance(inner, types.DictType):
        return f"table of {_kind(inner.value_type)}"
    if isinstance(inner, types.VarTupleType | types.ListType):
        return f"array of {_kind(inner.item_type)}"
    return describe(kind).removeprefix("a ").removeprefix("one of ")


def _default(field: types.Field) -> str:
    if field.required:
        return "required"
    default, kind = field.default, unwrap(field.type)[0].get("kind")
    if (
        default is None
        or default == ()
        or default is msgspec.NODEFAULT
        or isinstance(default, msgspec.Struct)
    ):
        return ""
    if kind == "mode":
        return _code(f'"{default:04o}"')
    if kind == "duration":
        return _code(f'"{default:g}s"')
    return _code(msgspec.json.encode(default).decode())


def _code(text: str) -> str:
    return f"`{text}`" if not text.startswith("A ") else text
