"""What must hold within one `[tokens.NAME]` table.

Owns: references to other tables, what may go into an access token request (RFC 6749 A, RFC 8707 2, R-027),
who may be named in `allow`. Refuses to know: other tokens (`overlaps`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from broker.config import references
from broker.config.accounts import Accounts
from broker.config.faults import Faults, item, join, suggest
from broker.config.schema import AllowTable, Config, TokenTable
from broker.options import SecretRef
from broker.policy.rotation import parse_expiry

RESERVED_PARAMETERS: Final[Mapping[str, str]] = {
    "grant_type": "the broker sets it itself",
    "client_id": "use the key client_id",
    "client_secret": "use the key client_secret",
    "client_assertion": "the broker sets it itself",
    "client_assertion_type": "the broker sets it itself",
    "scope": "use the key scope",
    "resource": "use the key resource",
    "audience": "use the key audience",
}
"""Parameters of a request that have another place, and which."""

SHORTEST_POLL_SECONDS: Final = 1.0

_CLIENT_ID: Final = re.compile(r"[\x20-\x7e]+", re.ASCII)
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+", re.ASCII)
_UNIT: Final = re.compile(r"(?=.{1,255}\Z)[A-Za-z0-9:_.\\-]+(?:@[A-Za-z0-9:_.\\-]*)?\.service", re.ASCII)


def check(
    name: str,
    table: TokenTable,
    *,
    config: Config,
    accounts: Accounts,
    faults: Faults,
) -> None:
    """Adds the faults of one table."""
    at = join("tokens", name)
    if table.authorization_server not in config.authorization_servers:
        hint = suggest(
            table.authorization_server,
            config.authorization_servers,
            none="no [authorization_servers.NAME] table is there; add one",
        )
        faults.add(
            f"{at}.authorization_server", f"no authorization server of that name is configured; {hint}"
        )
    for key, reference in _references(table):
        references.check(f"{at}.{key}", reference, config=config, faults=faults)
    _check_request(at, table, faults)
    if isinstance(table.client_secret_expires, str):
        try:
            parse_expiry(table.client_secret_expires)
        except ValueError:
            faults.add(f"{at}.client_secret_expires", "must be a date (YYYY-MM-DD) or an RFC 3339 time")
    if table.client_secret == ():
        faults.add(f"{at}.client_secret", "must name at least one place where a secret is kept")
    if table.default_lifetime is not None and table.default_lifetime <= 0:
        faults.add(f"{at}.default_lifetime", "must be longer than 0")
    if table.poll_secret_version < SHORTEST_POLL_SECONDS:
        faults.add(f"{at}.poll_secret_version", "must be at least 1s, to be bearable for the secret backend")
    _check_allow(f"{at}.allow", table.allow, accounts, faults)


def _references(table: TokenTable) -> Iterator[tuple[str, SecretRef]]:
    for key in ("client_id", "client_secret", "client_secret_expires"):
        value = getattr(table, key)
        if isinstance(value, SecretRef):
            yield key, value
    if isinstance(table.client_secret, tuple):
        for index, reference in enumerate(table.client_secret):
            yield item("client_secret", index), reference


def _check_request(at: str, table: TokenTable, faults: Faults) -> None:
    if isinstance(table.client_id, str) and not _CLIENT_ID.fullmatch(table.client_id):
        faults.add(f"{at}.client_id", "must be one or more printable ASCII characters (RFC 6749 A.1)")
    for index, scope in enumerate(table.scope):
        if not _SCOPE.fullmatch(scope):
            message = 'must be one scope, without spaces, quotes or backslashes; write several as ["a", "b"]'
            faults.add(item(f"{at}.scope", index), message)
    for index, resource in enumerate(table.resource):
        if not _is_resource(resource):
            faults.add(item(f"{at}.resource", index), "must be an absolute URI without fragment (RFC 8707 2)")
    if table.audience == "":
        faults.add(f"{at}.audience", "must not be empty; leave it out to send none")
    for name in table.parameters:
        if name in RESERVED_PARAMETERS:
            faults.add(join(f"{at}.parameters", name), f"not allowed here; {RESERVED_PARAMETERS[name]}")
        elif not name:
            faults.add(join(f"{at}.parameters", name), "a parameter needs a name")


def _is_resource(text: str) -> bool:
    if not text.isascii() or not text.isprintable() or " " in text or "#" in text:
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme and (parts.netloc or parts.path))


def _check_allow(at: str, allow: AllowTable, accounts: Accounts, faults: Faults) -> None:
    for index, user in enumerate(allow.users):
        if accounts.uid(user) is None:
            faults.add(
                item(f"{at}.users", index), "no user of this system has that name; create it or correct it"
            )
    for index, group in enumerate(allow.groups):
        if accounts.gid(group) is None:
            faults.add(
                item(f"{at}.groups", index), "no group of this system has that name; create it or correct it"
            )
    for index, unit in enumerate(allow.units):
        if not _UNIT.fullmatch(unit):
            message = 'must be the name of a service, "NAME.service"; "NAME@.service" means all its instances'
            faults.add(item(f"{at}.units", index), message)
