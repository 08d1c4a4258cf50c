"""The configuration as frozen values: one struct a table, with the defaults and the reason for each.

Owns: names, types and defaults of the keys. Refuses to know: files, syntax, faults (`decode`), rules that span keys
(`rules`). Tables whose keys belong to a plug-in are decoded with the plug-in's own option struct into a `PluginTable`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from broker.options import Duration, FileMode, FilePath, GroupName, HttpUrl, InputFile, SecretRef

Profile = Literal["outsystems-odc", "keycloak", "generic"]


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every table."""


class PluginTable(Table, frozen=True):
    """A decoded table that belongs to a plug-in: `type` is the entry-point name, `options` the plug-in's own struct."""

    type: str
    options: Any


class UnusablePlugin(Table, frozen=True):
    """Stands for the options of a plug-in that is installed and cannot be used; its keys cannot be judged."""

    message: str


SecretBackendTable = Annotated[PluginTable, msgspec.Meta(extra={"plugin": "secret_backends"})]
"""`[secret_backends.NAME]`"""

SinkTable = Annotated[PluginTable, msgspec.Meta(extra={"plugin": "sinks"})]
"""`[[tokens.NAME.sinks]]`"""

FileTable = Annotated[PluginTable, msgspec.Meta(extra={"plugin": "sinks", "type": "file"})]
"""`[[tokens.NAME.files]]`: a sink whose type goes without saying."""


class BrokerTable(Table, frozen=True):
    """`[broker]`."""

    runtime_dir: FilePath = "/run/token-broker"
    """Sockets, locks and token files; base of relative paths. Should be a memory file system."""
    state_dir: FilePath = "/var/lib/token-broker"
    """What survives a restart."""
    startup_deadline: Duration = 30.0
    """READY at the latest then, degraded if need be: one dead tenant must not block the boot of dependent units."""


class CacheTable(Table, frozen=True):
    """`[cache]`: minted tokens survive a restart, encrypted below `state_dir`; exactly one of the two keys."""

    key: SecretRef | None = None
    """Where the key is kept: 32 bytes as base64 text. No use while that secret backend is down."""
    key_file: InputFile | None = None
    """A file with the key; the only way to serve from the cache at a restart while the backend is down."""


class SocketTable(Table, frozen=True):
    """`[socket]`."""

    path: FilePath = "token-broker.sock"
    """At most 107 bytes with its directory."""
    mode: FileMode = 0o660
    """Who may connect; who may read which token is each token's `allow`."""
    group: GroupName | None = None
    """The group of the socket; default: the broker's own."""


class OpsTable(Table, frozen=True):
    """`[ops]`."""

    listen: str = "127.0.0.1:9464"
    """HOST:PORT; loopback by default, since nobody is authenticated here."""


class LogTable(Table, frozen=True):
    """`[log]`."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Secrets and tokens are in no level."""
    format: Literal["json", "text"] = "json"
    """JSON lines for machines, text for people; both to standard error."""


class AuthorizationServerTable(Table, frozen=True):
    """`[authorization_servers.NAME]`."""

    profile: Profile = "generic"
    """Sets defaults for a product; derives no URL."""
    discovery_url: HttpUrl | None = None
    """Where the metadata is; default: the issuer's own well-known address. Needs `issuer`, and
    `token_endpoint_hosts` too if it is not derived from the issuer."""
    issuer: str | None = None
    """Pinned; compared byte by byte with the metadata (RFC 8414 3.3)."""
    token_endpoint: HttpUrl | None = None
    """Instead of discovery."""
    token_endpoint_hosts: tuple[str, ...] = ()
    """Hosts that the metadata's token endpoint may have; default: those of issuer and discovery URL."""
    token_endpoint_auth_method: str | None = None
    """A registered value; default: the profile's, else the metadata's list, else client_secret_basic."""
    ca_file: InputFile | None = None
    """Replaces the system's trust store."""
    allow_insecure_loopback: bool = False
    """Accept plain http to a loopback address; to any other nothing does."""
    max_concurrent_mints: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 4
    """A shared authorization server must not see a herd after an outage."""


class AllowTable(Table, frozen=True):
    """`[tokens.NAME.allow]`: adds to root and the broker's own user."""

    users: tuple[str, ...] = ()
    """Names of users."""
    groups: tuple[str, ...] = ()
    """Names of groups."""
    units: tuple[str, ...] = ()
    """Names of systemd services; "NAME@.service" means all its instances."""


class TokenTable(Table, frozen=True):
    """`[tokens.NAME]`: a managed token."""

    authorization_server: str
    """The NAME of an `[authorization_servers.NAME]` table."""
    client_id: str | SecretRef
    """As the authorization server knows the client, or where to read it."""
    client_secret: SecretRef | tuple[SecretRef, ...]
    """Where the secret is kept; never the secret. Several are tried in their order, and the winner is remembered."""
    client_secret_expires: str | SecretRef | None = None
    """A date (YYYY-MM-DD: 23:59 UTC of that day), an RFC 3339 time, or where to read one."""
    scope: tuple[str, ...] = ()
    """One scope an item (RFC 6749 3.3)."""
    resource: tuple[str, ...] = ()
    """Absolute URIs of the APIs that the token is for (RFC 8707)."""
    audience: str | None = None
    """The same for authorization servers that have a parameter of their own for it."""
    parameters: dict[str, str] = {}
    """Further parameters of the access token request; none that has a key of its own."""
    default_lifetime: Duration | None = None
    """Used only if the server sends no expires_in; without it such an answer is refused."""
    min_lifetime: Duration = 60.0
    """A shorter-lived token is published but reported as degraded."""
    required: bool = True
    """Whether the broker is ready only with this token."""
    renew_at: Annotated[float, msgspec.Meta(ge=0.1, le=0.9)] = 0.5
    """Fraction of the lifetime; half of it is what an outage of the authorization server may last."""
    poll_secret_version: Duration = 60.0
    """How often the secret backend is asked whether the client secret was rotated; at least 1 s."""
    strip_newline: bool = True
    """Strip one trailing newline of the client secret: `vault kv put key=@file` stores one."""
    files: tuple[FileTable, ...] = ()
    """Short for sinks of type "file"."""
    sinks: tuple[SinkTable, ...] = ()
    """Where else the token is published; `type` names an installed sink."""
    allow: AllowTable = AllowTable()
    """Who may read the token on the socket."""

    @property
    def client_secrets(self) -> tuple[SecretRef, ...]:
        """One or several, in the order in which they are tried."""
        return (self.client_secret,) if isinstance(self.client_secret, SecretRef) else self.client_secret


class Config(Table, frozen=True):
    """A whole configuration, decoded: paths absolute, plug-in tables with their options."""

    include: tuple[str, ...] = ()
    """Further files, relative to this one; patterns such as "conf.d/*.toml" are taken in sorted order. Tables
    merge, the same key twice is an error, and an included file includes no others."""
    broker: BrokerTable = BrokerTable()
    """The daemon itself."""
    cache: CacheTable | None = None
    """Restart without minting again; without it nothing is kept."""
    socket: SocketTable = SocketTable()
    """The Unix socket on which tokens are read."""
    ops: OpsTable = OpsTable()
    """Metrics, health and the status page."""
    log: LogTable = LogTable()
    """What is logged, and how."""
    secret_backends: dict[str, SecretBackendTable] = {}
    """Where client secrets are kept, by a name of yours."""
    authorization_servers: dict[str, AuthorizationServerTable] = {}
    """Who issues tokens, by a name of yours; two tables share nothing."""
    tokens: dict[str, TokenTable] = {}
    """The managed tokens, by the name under which they are read."""
