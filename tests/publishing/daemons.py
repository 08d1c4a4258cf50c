"""A daemon with several managed tokens, each in a directory of its own, and what the server gave it.

Owns: their configuration. Refuses to know: what goes wrong with the directories.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from broker.dev.authorization_server import DevelopmentAuthorizationServer
from tests.daemon.running import Daemon, local_tables, store
from tests.waiting import eventually


def daemon_of(server: DevelopmentAuthorizationServer, directory: Path, files: Mapping[str, Path]) -> Daemon:
    """Not started. Beside `deploy` a token for each of `files`, whose name is its scope as well."""
    store(directory, server.register("deploy", lifetime_seconds=43_200).reveal())
    tables = [local_tables(server, directory, token='scope = ["deploy"]')]
    tables += [
        f"""
[tokens.{name}]
authorization_server = "odc"
client_id = "deploy"
client_secret = {{ backend = "local", path = "deploy", field = "client_secret" }}
scope = ["{name}"]
[[tokens.{name}.files]]
path = "{path}"
"""
        for name, path in files.items()
    ]
    return Daemon(directory, "\n".join(tables))


def all_published(daemon: Daemon, files: Mapping[str, Path]) -> dict[str, bytes]:
    """Wait until every token is in its file; the contents. A token is fresh a moment before its file is there."""
    for name, path in files.items():
        daemon.wait_for(name=name, state="fresh", condition="ok")
        eventually(path.exists, what=f"{path}")
    return {name: path.read_bytes() for name, path in files.items()}


def mints(server: DevelopmentAuthorizationServer, name: str) -> int:
    """How many tokens of this name the server gave out."""
    return len(
        [
            entry
            for entry in server.ledger.entries("token")
            if entry.status == 200 and entry.form.get("scope") == name
        ]
    )
