"""The configuration file of a simulated world.

Owns: its text. Tokens differ in what their tables say, so that one run meets several ways to be configured.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from tests.simulation.world import World


def text(
    world: World, *, without: Collection[str] = (), extra: Mapping[str, str] | None = None, cache: bool
) -> str:
    """TOML. `without` names tokens that are left out, `extra` adds a line to a token's table."""
    parts = [
        f"""
[broker]
runtime_dir = "{world.directory}/run"
state_dir = "{world.directory}/state"
"""
    ]
    if cache:
        parts.append(f'[cache]\nkey_file = "{world.directory}/key"\n')
    parts += [f'[secret_backends.{name}]\ntype = "simulated"\n' for name in world.stores]
    parts += [
        _server(number, server.name, server.issuer, server.host)
        for number, server in enumerate(world.servers)
    ]
    parts += [_token(world, name, (extra or {}).get(name, "")) for name in world.names if name not in without]
    return "\n".join(parts)


def _server(number: int, name: str, issuer: str, host: str) -> str:
    """The first one as the customer's, the other as a Keycloak with HTTP Basic."""
    if number == 0:
        return f"""
[authorization_servers.{name}]
profile = "outsystems-odc"
discovery_url = "https://{host}/identity/.well-known/openid-configuration"
issuer = "{issuer}"
token_endpoint_hosts = ["{host}"]
"""
    return f"""
[authorization_servers.{name}]
profile = "keycloak"
issuer = "{issuer}"
"""


def _token(world: World, name: str, extra: str) -> str:
    on_expiry = "remove" if name in world.removed_on_expiry else "keep"
    store = world.store_of[name].name
    number = world.names.index(name)
    client_id = (
        f'"{name}"' if number % 3 == 1 else f'{{ backend = "{store}", path = "{name}", field = "id" }}'
    )
    return f"""
[tokens.{name}]
authorization_server = "{world.server_of[name].name}"
client_id = {client_id}
client_secret = {{ backend = "{store}", path = "{name}", field = "secret" }}
{extra}
[[tokens.{name}.files]]
path = "{name}"
on_expiry = "{on_expiry}"
"""
