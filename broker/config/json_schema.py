"""The configuration as JSON Schema (draft 2020-12), for editors and reviews.

Owns: the merging of plug-ins' options into their tables, what msgspec's schema says of Python but not of
the file (null, octal defaults), descriptions from docstrings. Refuses to know: rules that span keys.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import inspect as types

from broker.config import docstrings
from broker.config.leaves import unwrap
from broker.config.schema import Config, PluginTable, TokenTable
from broker.config.vocabulary import PluginKind, Vocabulary
from broker.options import NAME_PATTERN

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_KINDS: Final[tuple[PluginKind, ...]] = ("secret_backends", "sinks")


def schema(vocabulary: Vocabulary) -> dict[str, Any]:
    """The schema with the options of everything that is installed."""
    plugins = [
        (kind, name, options)
        for kind in _KINDS
        for name in vocabulary.types(kind)
        if isinstance(options := vocabulary.options(kind, name), type)
    ]
    structs = list(_structs_within(Config, *(options for _, _, options in plugins)))
    references, components = msgspec.json.schema_components(structs, ref_template="#/$defs/{name}")
    names = {
        struct: reference["$ref"].rpartition("/")[2]
        for struct, reference in zip(structs, references, strict=True)
    }
    for struct, name in names.items():
        components[name] = _table(struct, components[name])
    for kind in _KINDS:
        variants = [_variant(name, components[names[options]]) for of, name, options in plugins if of == kind]
        components[kind] = {"oneOf": variants}
    components.pop(names.pop(PluginTable))
    config, token = components.pop(names[Config])["properties"], components[names[TokenTable]]["properties"]
    config["secret_backends"]["additionalProperties"] = {"$ref": "#/$defs/secret_backends"}
    token["sinks"]["items"] = {"$ref": "#/$defs/sinks"}
    files = [names[options] for kind, name, options in plugins if (kind, name) == ("sinks", "file")]
    token["files"]["items"] = {"$ref": f"#/$defs/{files[0]}"} if files else False
    for section in ("secret_backends", "authorization_servers", "tokens"):
        config[section]["propertyNames"] = {"pattern": NAME_PATTERN}
    return {
        "$schema": DIALECT,
        "title": "token-broker configuration",
        "description": docstrings.of_class(Config),
        "type": "object",
        "properties": config,
        "additionalProperties": False,
        "$defs": components,
    }


def _structs_within(*structs: Any) -> Iterator[Any]:
    """The structs and those in their fields, each once."""
    seen: dict[Any, None] = {}

    def visit(kind: types.Type) -> None:
        kind = unwrap(kind)[1]
        match kind:
            case types.StructType() if kind.cls not in seen:
                seen[kind.cls] = None
                for field in kind.fields:
                    visit(field.type)
            case types.UnionType():
                for each in kind.types:
                    visit(each)
            case types.DictType():
                visit(kind.value_type)
            case types.VarTupleType() | types.ListType():
                visit(kind.item_type)

    for struct in structs:
        visit(types.type_info(struct))
    yield from seen


def _table(struct: Any, component: dict[str, Any]) -> dict[str, Any]:
    """The schema of one table, in the terms of the file."""
    properties = {name: _setting(each) for name, each in component["properties"].items()}
    sentences = docstrings.of_fields(struct)
    for name, each in properties.items():
        if name in sentences:
            each["description"] = " ".join(filter(None, (sentences[name], each.get("description"))))
    return {
        "title": component.get("title", struct.__name__),
        "description": docstrings.of_class(struct),
        "type": "object",
        "properties": properties,
        "required": component.get("required", []),
        "additionalProperties": False,
    }


def _setting(node: dict[str, Any]) -> dict[str, Any]:
    """A property without the null that only Python's default is, in the words of the file."""
    node = {key: value for key, value in node.items() if key != "discriminator"}
    if "anyOf" in node:
        node.pop("type", None)  # a duration is a string or a number, whatever it is decoded to
        choices = [_setting(choice) for choice in node["anyOf"] if choice != {"type": "null"}]
        node = {**node, "anyOf": choices} if len(choices) > 1 else {**choices[0], **_without(node, "anyOf")}
    default = node.get("default")
    if "pattern" in node:  # only text has a pattern: a file mode, whatever it is decoded to
        node["type"] = "string"
        if isinstance(default, int):
            node["default"] = f"{default:04o}"
    if default is None or isinstance(default, dict):
        node.pop("default", None)
    return node


def _variant(name: str, component: dict[str, Any]) -> dict[str, Any]:
    """A plug-in's table with the `type` that chooses it."""
    variant = copy.deepcopy(component)
    variant["title"] = f'type = "{name}"'
    variant["properties"] = {"type": {"const": name}, **variant["properties"]}
    variant["required"] = ["type", *variant["required"]]
    return variant


def _without(node: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in node.items() if name != key}
