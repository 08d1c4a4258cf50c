"""What must hold within one `[authorization_servers.NAME]` table.

Owns: where the token endpoint comes from and when the metadata may be believed (RFC 8414 3.3; R-014, R-015,
R-020). Refuses to know: the network.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final

from broker.config.faults import Faults, item, join, suggest
from broker.config.leaves import url_fault
from broker.config.schema import AuthorizationServerTable
from broker.oauth import endpoint_url, metadata

_HOST: Final = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*",
    re.ASCII | re.IGNORECASE,
)

_ISSUER_REQUIRED: Final = (
    "required with discovery_url: metadata is believed only if it states exactly the issuer pinned here (and "
    "token_endpoint_hosts is required too, unless discovery_url is that issuer's own well-known address)"
)
_HOSTS_REQUIRED: Final = (
    "required: discovery_url is not the issuer's own well-known address, so the metadata alone must not "
    "decide where the client secret is sent; list the token endpoint's host"
)


def check(
    name: str, table: AuthorizationServerTable, *, auth_methods: tuple[str, ...], faults: Faults
) -> None:
    """Adds the faults of one table. Without `auth_methods` any method is let through."""
    at = join("authorization_servers", name)
    _check_origin(at, table, faults)
    _check_issuer(at, table, faults)
    for index, host in enumerate(table.token_endpoint_hosts):
        if not _is_host(host):
            faults.add(
                item(f"{at}.token_endpoint_hosts", index),
                "must be a host name alone: no scheme, port or path",
            )
    if table.token_endpoint is not None and table.token_endpoint_hosts:
        allowed = {host.lower() for host in table.token_endpoint_hosts}
        if endpoint_url.host(table.token_endpoint) not in allowed:
            faults.add(
                f"{at}.token_endpoint",
                "its host is not in token_endpoint_hosts; add it or leave that key out",
            )
    method = table.token_endpoint_auth_method
    if method is not None and auth_methods and method not in auth_methods:
        hint = suggest(method, auth_methods, none="none is installed")
        faults.add(f"{at}.token_endpoint_auth_method", f"no such method is installed; {hint}")


def _check_origin(at: str, table: AuthorizationServerTable, faults: Faults) -> None:
    """One way to the token endpoint, and nothing that metadata alone could bend."""
    if not faults.intact(f"{at}.token_endpoint", f"{at}.discovery_url", f"{at}.issuer"):
        return
    if table.token_endpoint is not None:
        if table.discovery_url is not None:
            faults.add(
                f"{at}.discovery_url", "given with token_endpoint, which is instead of discovery; remove one"
            )
        return
    if table.discovery_url is None:
        if table.issuer is None:
            faults.add(
                f"{at}.issuer",
                "required, alone or with discovery_url, unless there is a token_endpoint",
            )
        return
    if table.issuer is None:
        faults.add(f"{at}.issuer", _ISSUER_REQUIRED)
    elif (
        not table.token_endpoint_hosts
        and not metadata.is_derived(table.discovery_url, table.issuer)
        and faults.intact(f"{at}.token_endpoint_hosts")
    ):
        faults.add(f"{at}.token_endpoint_hosts", _HOSTS_REQUIRED)


def _check_issuer(at: str, table: AuthorizationServerTable, faults: Faults) -> None:
    """An issuer that is only compared may be plain http; one that discovery starts from may not."""
    if table.issuer is None:
        return
    fault: str | None = None
    if endpoint_url.host(table.issuer) is None:
        fault = "must be an absolute URL, exactly as the metadata states it"
    elif table.discovery_url is None and table.token_endpoint is None:
        fault = url_fault(table.issuer, allow_insecure_loopback=table.allow_insecure_loopback)
    if fault is None and ("?" in table.issuer or "#" in table.issuer):
        fault = "must have no query and no fragment (RFC 8414 2)"
    if fault is not None:
        faults.add(f"{at}.issuer", fault)


def _is_host(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return _HOST.fullmatch(text) is not None
    return "%" not in text
