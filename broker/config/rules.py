"""Rules that types cannot express, over a whole decoded configuration.

Owns: the order of the checks, names, the broker's own tables. Refuses to know: the system; accounts,
plug-ins and the place of a path come in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import Final

from broker.config import authorization_servers, managed_tokens, overlaps, references, unusable
from broker.config.accounts import Accounts
from broker.config.faults import Faults, item, join
from broker.config.plugin_checks import guarded
from broker.config.schema import Config, PluginTable, UnusablePlugin
from broker.config.vocabulary import PluginKind, Vocabulary
from broker.options import NAME_PATTERN

LONGEST_SOCKET_PATH_BYTES: Final = 107

_LISTEN: Final = re.compile(
    r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>[0-9]{1,5})", re.ASCII
)
_LARGEST_PORT: Final = 65_535


def check(
    config: Config,
    *,
    vocabulary: Vocabulary,
    accounts: Accounts,
    place: Callable[[str], str],
    faults: Faults,
) -> None:
    """Adds every fault to `faults`, which knows what decoding has found already."""
    _check_names(config, faults)
    _check_own_tables(config, faults)
    _check_cache(config, faults)
    auth_methods = vocabulary.client_auth_methods()
    for name, server in config.authorization_servers.items():
        authorization_servers.check(name, server, auth_methods=auth_methods, faults=faults)
    for at, kind, table in _plugin_tables(config):
        if not isinstance(table.options, UnusablePlugin | None) and faults.intact(at):
            guarded(at, lambda: vocabulary.check(kind, table.type, table.options), faults)  # noqa: B023 - called here
    for name, token in config.tokens.items():
        managed_tokens.check(name, token, config=config, accounts=accounts, faults=faults)
    overlaps.check_outputs(config, place=place, faults=faults)
    overlaps.check_identities(config, faults)
    unusable.check(config, faults)


def listen_fault(listen: str) -> str | None:
    """What is wrong with `HOST:PORT`, or `unix:` and an absolute path; None if it can be listened on."""
    if listen.startswith("unix:"):
        path = listen.removeprefix("unix:")
        return _socket_path_fault(path) if path.startswith("/") else "must have an absolute path after unix:"
    parts = _LISTEN.fullmatch(listen)
    if parts is None or int(parts["port"]) > _LARGEST_PORT:
        return "must be HOST:PORT, such as 127.0.0.1:9464 or [::1]:9464"
    if parts["v6"] is not None:
        try:
            ip_address(parts["v6"])
        except ValueError:
            return "must have an IPv6 address between the brackets"
    return None


def _socket_path_fault(path: str) -> str | None:
    length = len(path.encode())
    if length > LONGEST_SOCKET_PATH_BYTES:
        return f"is {length} bytes long with its directory; a Unix socket's path has at most 107; shorten it"
    return None


def _check_names(config: Config, faults: Faults) -> None:
    for section in ("secret_backends", "authorization_servers", "tokens"):
        for name in getattr(config, section):
            if not re.fullmatch(NAME_PATTERN, name) or name.endswith("\n"):
                message = "a name has 1 to 64 of A-Z a-z 0-9 . _ - and begins with a letter or digit"
                faults.add(join(section, name), message)


def _check_own_tables(config: Config, faults: Faults) -> None:
    if config.broker.startup_deadline <= 0:
        faults.add("broker.startup_deadline", "must be longer than 0")
    socket_fault = _socket_path_fault(config.socket.path)
    if socket_fault is not None:
        faults.add("socket.path", f"{socket_fault} or broker.runtime_dir")
    ops_fault = listen_fault(config.ops.listen)
    if ops_fault is not None:
        faults.add("ops.listen", ops_fault)


def _check_cache(config: Config, faults: Faults) -> None:
    table = config.cache
    if table is None or not faults.intact("cache"):
        return
    if table.key is not None and table.key_file is not None:
        faults.add("cache.key_file", "given with key, and one of them is enough; remove the other")
    if table.key is None and table.key_file is None:
        faults.add("cache.key_file", "required, unless there is a key: 32 random bytes as base64 text")
    if table.key is not None:
        references.check("cache.key", table.key, config=config, faults=faults)


def _plugin_tables(config: Config) -> Iterator[tuple[str, PluginKind, PluginTable]]:
    for name, backend in config.secret_backends.items():
        yield join("secret_backends", name), "secret_backends", backend
    for name, token in config.tokens.items():
        at = join("tokens", name)
        for index, sink in enumerate(token.files):
            yield item(f"{at}.files", index), "sinks", sink
        for index, sink in enumerate(token.sinks):
            yield item(f"{at}.sinks", index), "sinks", sink
