"""The tables of a file as the structs of the schema, with every fault located.

Owns: the walk over the structs' types: tables, arrays, unions, tagged unions, plug-ins' tables. Refuses to
know: syntax (`documents`), what single values look like (`leaves`), rules that span keys (`rules`).
msgspec's own conversion stops at the first fault, hides the keys of maps and prints values, hence a walk of
ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, cast

import msgspec
from msgspec import inspect as types

from broker.config import leaves
from broker.config.accounts import Accounts
from broker.config.faults import Faults, item, join, suggest
from broker.config.leaves import LeafFault, Leaves, alternatives, describe
from broker.config.paths import PathResolver
from broker.config.schema import AllowTable, BrokerTable, Config, PluginTable, UnusablePlugin
from broker.config.stand_ins import stand_in
from broker.config.tree import Ambiguous
from broker.config.vocabulary import PluginKind, Vocabulary
from broker.options import SecretRef

_BROKEN: Final = object()
_NOTHING: Final[Mapping[str, Any]] = {}
_SHARED: Final = (str, SecretRef, AllowTable)
"""What thousands of tokens have in common, and is kept once: names, places of secrets, readers."""
_EMPTY: Final = "is empty; fill it in or leave the key out"


def decode(
    tree: Mapping[str, Any],
    *,
    environment: Mapping[str, str],
    working_dir: str,
    vocabulary: Vocabulary,
    accounts: Accounts,
    faults: Faults,
) -> Config:
    """The configuration, with stand-ins where `faults` got an entry."""

    def walk(base: str) -> _Walk:
        leaves_at_base = Leaves(resolver=PathResolver(environment, base), accounts=accounts)
        return _Walk(leaves=leaves_at_base, vocabulary=vocabulary, faults=faults, known={})

    broker: BrokerTable = walk(working_dir).table(BrokerTable, tree.get("broker", {}), "broker")
    others = {key: value for key, value in tree.items() if key != "broker"}
    config: Config = walk(broker.runtime_dir).table(Config, others, "")
    return msgspec.structs.replace(config, broker=broker)


@lru_cache
def _fields_of(struct: Any) -> types.StructType:
    return cast("types.StructType", types.type_info(struct))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Walk:
    leaves: Leaves
    vocabulary: Vocabulary
    faults: Faults
    known: dict[Any, Any]
    """Each value that may be shared, as it was met first."""

    def table(self, struct: type[msgspec.Struct], raw: object, path: str) -> Any:
        """The struct from its table, or a stand-in where that is no table."""
        value = self._struct(_fields_of(struct), raw, path)
        return stand_in(_fields_of(struct)) if value is _BROKEN else value

    def _value(self, kind: types.Type, raw: object, path: str, *, insecure: bool = False) -> Any:
        """The decoded value, or `_BROKEN` once the fault is on the list."""
        extra, kind = leaves.unwrap(kind)
        match kind:
            case types.StructType() if "plugin" in extra:
                return self._plugin_table(extra["plugin"], extra.get("type"), raw, path)
            case types.StructType():
                return self._struct(kind, raw, path)
            case types.UnionType():
                return self._union(kind, raw, path, insecure=insecure)
            case types.DictType():
                return self._map(kind, raw, path)
            case types.VarTupleType() | types.ListType():
                return self._array(kind, raw, path)
        try:
            if "kind" in extra:
                return self.leaves.special(extra["kind"], raw, bounds=kind, insecure_loopback=insecure)
            return self._shared(leaves.scalar(kind, raw))
        except LeafFault as fault:
            return self._broken(path, _with_hint(str(fault), raw))

    def _struct(self, kind: types.StructType, raw: object, path: str) -> Any:
        if not isinstance(raw, dict):
            return self._broken(path, _not_a_table(kind, raw))
        self._report_unknown(kind, raw, path)
        insecure = raw.get("allow_insecure_loopback") is True
        values: dict[str, Any] = {}
        for field in kind.fields:
            at = join(path, field.encode_name)
            if field.encode_name in raw:
                value = self._value(field.type, raw[field.encode_name], at, insecure=insecure)
            elif field.required:
                value = self._broken(at, "required")
            else:
                value = self._default(field, at)
            if value is not _BROKEN:
                values[field.name] = value
            elif field.required:
                values[field.name] = stand_in(field.type)
        return self._shared(kind.cls(**values))

    def _shared(self, value: Any) -> Any:
        return self.known.setdefault(value, value) if isinstance(value, _SHARED) else value

    def _report_unknown(self, kind: types.StructType, raw: Mapping[str, Any], path: str) -> None:
        known = {field.encode_name for field in kind.fields} | ({kind.tag_field} if kind.tag_field else set())
        for key in raw:
            if key not in known:
                hint = suggest(key, known, none="this table has no keys")
                self.faults.broken(join(path, key), f"unknown key; {hint}")

    def _default(self, field: types.Field, path: str) -> Any:
        """The default, decoded where it needs to be: relative paths have a base."""
        if isinstance(field.default, msgspec.Struct):
            return self.table(type(field.default), {}, path)
        if isinstance(field.default, str) and leaves.unwrap(field.type)[0].get("kind") == "path":
            return self._value(field.type, field.default, path)
        if field.default_factory is dict:
            return _NOTHING
        return field.default_factory() if callable(field.default_factory) else field.default

    def _map(self, kind: types.DictType, raw: object, path: str) -> Any:
        if not isinstance(raw, dict):
            return self._broken(path, _not_a_table(kind, raw))
        values = {key: self._value(kind.value_type, value, join(path, key)) for key, value in raw.items()}
        return {
            key: stand_in(kind.value_type) if value is _BROKEN else value for key, value in values.items()
        }

    def _array(self, kind: types.VarTupleType | types.ListType, raw: object, path: str) -> Any:
        if not isinstance(raw, list):
            return self._broken(
                path, _EMPTY if raw is None else f"must be {describe(kind)}; put [ ] around it"
            )
        values = [self._value(kind.item_type, each, item(path, index)) for index, each in enumerate(raw)]
        # A stand-in keeps the others at their index, which is part of their path.
        whole = [stand_in(kind.item_type) if value is _BROKEN else value for value in values]
        return whole if isinstance(kind, types.ListType) else tuple(whole)

    def _union(self, kind: types.UnionType, raw: object, path: str, *, insecure: bool) -> Any:
        choices = alternatives(kind)
        if len(choices) == 1:
            return self._value(choices[0], raw, path, insecure=insecure)
        fitting = [choice for choice in choices if _fits(choice, raw)]
        tagged = [choice for choice in fitting if isinstance(choice, types.StructType) and choice.tag_field]
        if tagged:
            return self._tagged(tagged, cast("dict[str, Any]", raw), path)
        if not fitting and _only_references(choices):
            return self._broken(path, _not_a_table(choices[0], raw))
        if not fitting:
            return self._broken(path, _with_hint(f"must be {describe(kind)}", raw))
        return self._value(fitting[0], raw, path, insecure=insecure)

    def _tagged(self, choices: list[types.StructType], raw: Mapping[str, Any], path: str) -> Any:
        by_tag = {str(choice.tag): choice for choice in choices}
        tag_field = str(choices[0].tag_field)
        chosen = self._chosen(tag_field, raw, tuple(by_tag), path, what="unknown")
        if chosen is None:
            self.faults.broken(path)
            return _BROKEN
        return self._struct(by_tag[chosen], raw, path)

    def _chosen(
        self, key: str, raw: Mapping[str, Any], allowed: tuple[str, ...], path: str, *, what: str
    ) -> str | None:
        """The word at `key` that says which keys the rest of the table may have."""
        word = raw.get(key)
        if isinstance(word, str) and word in allowed:
            return word
        hint = suggest(word if isinstance(word, str) else "", allowed, none="none is installed")
        self.faults.broken(join(path, key), f"{what if key in raw else 'required'}; {hint}")
        return None

    def _plugin_table(self, plugin_kind: PluginKind, implied: str | None, raw: object, path: str) -> Any:
        if not isinstance(raw, dict):
            return self._broken(path, _EMPTY if raw is None else "must be a table")
        installed = self.vocabulary.types(plugin_kind)
        chosen = implied or self._chosen_plugin(raw, installed, path)
        if chosen is None:
            return _BROKEN
        options_type: Any = self.vocabulary.options(plugin_kind, chosen)
        if isinstance(options_type, str):
            return self._broken(path if implied else join(path, "type"), options_type)
        if isinstance(options_type, UnusablePlugin):
            return PluginTable(type=chosen, options=options_type)
        table = raw if implied else {key: value for key, value in raw.items() if key != "type"}
        return PluginTable(type=chosen, options=self._struct(_fields_of(options_type), table, path))

    def _chosen_plugin(self, raw: Mapping[str, Any], installed: tuple[str, ...], path: str) -> str | None:
        """Whoever mistypes a name sees all of them: what is meant may not be installed."""
        what = "no plug-in of that name is installed"
        if "type" in raw and installed:
            what += f", there are {', '.join(installed)}"
        return self._chosen("type", raw, installed, path, what=what)

    def _broken(self, path: str, message: str) -> Any:
        self.faults.broken(path, message)
        return _BROKEN


def _fits(kind: types.Type, raw: object) -> bool:
    """Whether a value of this syntax can be of this type at all; its faults are found afterwards."""
    extra, kind = leaves.unwrap(kind)
    match kind:
        case types.StructType() | types.DictType():
            return isinstance(raw, dict)
        case types.VarTupleType() | types.ListType():
            return isinstance(raw, list)
        case types.BoolType():
            return isinstance(raw, bool)
        case types.IntType() | types.FloatType() if "kind" not in extra:
            return isinstance(raw, int | float) and not isinstance(raw, bool)
    return isinstance(raw, str)


def _only_references(choices: tuple[types.Type, ...]) -> bool:
    """One reference to a secret, or several."""
    items = (choice.item_type if isinstance(choice, types.VarTupleType) else choice for choice in choices)
    return all(isinstance(each, types.StructType) and each.cls is SecretRef for each in items)


def _not_a_table(kind: types.Type, raw: object) -> str:
    if isinstance(kind, types.StructType) and kind.cls is SecretRef:
        return (
            "a secret is never written into this file; say where it is kept: "
            '{ backend = "NAME", path = "...", field = "..." }'
        )
    return _EMPTY if raw is None else "must be a table"


def _with_hint(message: str, raw: object) -> str:
    if raw is None:
        return _EMPTY
    if isinstance(raw, Ambiguous) and "quotes" not in message:
        return f"{message}; versions of YAML read this value differently: put text in quotes"
    if isinstance(raw, bool | int | float) and message.startswith(("must be text", "must be a path")):
        return f"{message}; put it in quotes"
    return message
