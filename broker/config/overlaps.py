"""What two tables may not share (R-007).

Owns: output places (token files, the socket) and identities: one client asking one
authorization server for the same thing is one managed token, whatever it is called. Refuses to know: the
file system; a function that names the place of a path comes in.
"""

from __future__ import annotations

import os.path
from collections.abc import Callable, Iterator
from typing import Any, Final

from broker.config.faults import Faults, item, join
from broker.config.schema import Config, PluginTable, TokenTable

MINTING_SETTINGS: Final = (
    "client_secret",
    "client_secret_expires",
    "default_lifetime",
    "min_lifetime",
    "poll_secret_version",
    "renew_at",
    "strip_newline",
)
"""What must be equal where the identity is: two answers to these for one token cannot both be right."""


def check_outputs(config: Config, *, place: Callable[[str], str], faults: Faults) -> None:
    """Adds a fault for each output file that is an earlier one, or needs one to be a directory."""
    files: dict[str, str] = {}
    for at, path in _file_outputs(config):
        if faults.intact(at):
            first = files.setdefault(place(path), at)
            if first != at:
                faults.add(at, f"is the same file as {first}; give each its own")
    _check_nesting(files, faults)


def check_identities(config: Config, faults: Faults) -> None:
    """Adds a fault for each token that is an earlier one with other settings."""
    seen: dict[Any, tuple[str, TokenTable]] = {}
    for name, token in config.tokens.items():
        at = join("tokens", name)
        if not faults.intact(at):
            continue
        first_at, first = seen.setdefault(_identity(token), (at, token))
        differing = [key for key in MINTING_SETTINGS if getattr(token, key) != getattr(first, key)]
        if differing:
            faults.add(
                at,
                f"asks for the same token as {first_at} (authorization server, client, scope, resource, "
                f"audience, parameters) with another {', '.join(differing)}; let them agree",
            )


def _identity(token: TokenTable) -> Any:
    return (
        token.authorization_server,
        token.client_id,
        frozenset(token.scope),
        frozenset(token.resource),
        token.audience,
        frozenset(token.parameters.items()),
    )


def _file_outputs(config: Config) -> Iterator[tuple[str, str]]:
    yield "socket.path", config.socket.path
    if config.ops.listen.startswith("unix:/"):
        yield "ops.listen", config.ops.listen.removeprefix("unix:")
    for at, sink in _sinks(config):
        if sink.type == "file" and sink.options is not None:
            yield f"{at}.path", sink.options.path
            if sink.options.metadata is not None:
                yield f"{at}.metadata", sink.options.metadata


def _sinks(config: Config) -> Iterator[tuple[str, PluginTable]]:
    for name, token in config.tokens.items():
        at = join("tokens", name)
        for index, table in enumerate(token.files):
            yield item(f"{at}.files", index), table
        for index, table in enumerate(token.sinks):
            yield item(f"{at}.sinks", index), table


def _check_nesting(files: dict[str, str], faults: Faults) -> None:
    for entry, at in files.items():
        above = os.path.dirname(entry)  # noqa: PTH120 - strings, since places may be case-folded
        while above not in files and above != os.path.dirname(above):  # noqa: PTH120 - likewise
            above = os.path.dirname(above)  # noqa: PTH120 - likewise
        if above in files:
            faults.add(at, f"is below {files[above]}, which is a file; give it another directory")
