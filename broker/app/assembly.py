"""From a configuration to running parts.

Owns: which object is built from which table, and which are kept when a configuration is applied over another. Refuses
to know: processes, signals, listeners.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from broker.api import Capability, PluginContext, SecretBackendPlugin
from broker.app.cache_place import CachePlace
from broker.app.outside import Outside
from broker.app.publisher_place import PublisherPlaces
from broker.app.supervision import supervise
from broker.app.unit import Surroundings, Unit
from broker.app.unusable_plugin import UnusableBackend
from broker.config.schema import AuthorizationServerTable, Config, PluginTable, TokenTable, UnusablePlugin
from broker.core.authorization_server import AuthorizationServer, AuthorizationServerSettings
from broker.core.backend_client import BackendClient
from broker.core.cache.identity import token_identity
from broker.core.credentials import CredentialSource
from broker.core.heartbeat import BEAT_SECONDS, Heartbeat
from broker.core.insistence import Insistence
from broker.core.managed_token import ManagedToken
from broker.core.minter import Authenticate, Minter
from broker.core.naps import Naps
from broker.core.renewer import Renewer
from broker.core.rounds import Rounds
from broker.core.secret_watch import SecretWatch
from broker.core.store import Store
from broker.events import TokenRemoved
from broker.model import TokenRequest
from broker.oauth import metadata
from broker.options import SecretRef
from broker.ports import SecretBackend


class Assembly:
    """The running parts of the configuration in force."""

    def __init__(self, *, outside: Outside, store: Store, beat_seconds: float = BEAT_SECONDS) -> None:
        self._outside = outside
        self._plugins = outside.plugins
        self._store = store
        self._clock = outside.clock
        self._observer = outside.observer
        self._rng = outside.rng
        self._backends: dict[str, tuple[PluginTable, BackendClient]] = {}
        self._servers: dict[str, tuple[AuthorizationServerTable, AuthorizationServer]] = {}
        self._authentications = self._client_auth  # one bound method for all tokens
        self._clients: Mapping[str, BackendClient] = {}
        self._surroundings_by_names: dict[tuple[str, tuple[str, ...]], Surroundings] = {}
        """Equal ones are one."""
        self._units: dict[str, Unit] = {}
        self._naps = Naps(outside.clock)
        self._insistence = Insistence(self._naps, outside.rng)
        self._heartbeat = Heartbeat(self._naps, outside.observer, every_seconds=beat_seconds)
        self._rounds: Rounds | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._cache = CachePlace(outside)
        self._places = PublisherPlaces(outside, self._naps)

    @property
    def units(self) -> Mapping[str, Unit]:
        """The running units by token name."""
        return self._units

    async def apply(self, config: Config, group: asyncio.TaskGroup) -> None:
        """Start, stop and replace what differs from the configuration in force; the rest is not touched (R-012)."""
        if self._rounds is None:
            self._rounds = Rounds(self._naps, group)
            self._tasks = [
                group.create_task(supervise(name, run), name=name)
                for name, run in (("heartbeat", self._heartbeat.run), ("rounds", self._rounds.run))
            ]
        old_backends, old_servers = dict(self._backends), dict(self._servers)
        self._backends = {
            name: _kept(old_backends, name, table) or (table, self._backend(name, table))
            for name, table in config.secret_backends.items()
        }
        self._servers = {
            name: _kept(old_servers, name, table) or (table, self._server(name, table))
            for name, table in config.authorization_servers.items()
        }
        self._clients = {name: client for name, (_, client) in self._backends.items()}
        self._cache.apply(config, self._clients, group)
        self._surroundings_by_names = {}
        for name in sorted(set(self._units) - set(config.tokens)):
            self._store.remove(name)
            await self._units.pop(name).stop(kept=())
            await self._cache.remove(name)
            self._observer(TokenRemoved(token=name))
        for name, table in config.tokens.items():
            await self._apply_token(name, table, self._rounds)
        await asyncio.gather(
            *(client.close() for name, (_, client) in old_backends.items() if not self._uses(client)),
            *(server.close() for name, (_, server) in old_servers.items() if not self._uses(server)),
        )

    async def stop(self) -> None:
        """Stop everything; published files stay."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(unit.stop(kept=None) for unit in self._units.values()))
        await asyncio.gather(
            *(client.close() for _, client in self._backends.values()),
            *(server.close() for _, server in self._servers.values()),
        )
        self._places.close()
        self._cache.stop()

    async def _apply_token(self, name: str, table: TokenTable, rounds: Rounds) -> None:
        old = self._units.get(name)
        surroundings = self._surroundings(table)
        if old is not None and old.surroundings == surroundings and _same(old.table, table):
            old.table = table
            return
        new = self._unit(name, table, surroundings, old)
        if old is not None:
            await old.stop(kept=(*table.files, *table.sinks))
        self._units[name] = new
        self._store.put(new.token, new.renewer)
        new.start(rounds, upstreams=" ".join((table.authorization_server, *_backend_names(table))))

    def _surroundings(self, table: TokenTable) -> Surroundings:
        names = table.authorization_server, _backend_names(table)
        found = self._surroundings_by_names.get(names)
        if found is None:
            server, backends = names
            found = self._surroundings_by_names[names] = Surroundings(
                self._servers[server][0],
                tuple(self._backends[name][0] for name in backends),
                self._cache.built_from,
            )
        return found

    def _unit(self, name: str, table: TokenTable, surroundings: Surroundings, old: Unit | None) -> Unit:
        token = ManagedToken(
            name,
            renew_at=table.renew_at,
            min_lifetime_seconds=table.min_lifetime,
            clock=self._clock,
            observer=self._observer,
        )
        credentials = CredentialSource(
            client_id=table.client_id,
            client_secrets=table.client_secrets,
            client_secret_expires=table.client_secret_expires,
            strip_newline=table.strip_newline,
            backends=self._clients,
            insistence=self._insistence,
        )
        request = _request(table)
        identity = _identity(name, table, surroundings)
        changed = old is not None and _identity(name, old.table, old.surroundings) != identity
        if old is not None:
            token.adopt(old.token, outdated=changed)
        minter = Minter(
            server=self._servers[table.authorization_server][1],
            credentials=credentials,
            request=request,
            default_lifetime_seconds=table.default_lifetime,
            client_auth=self._authentications,
            naps=self._naps,
        )
        renewer = Renewer(
            token=token,
            minter=minter,
            naps=self._naps,
            observer=self._observer,
            rng=self._rng,
            due_now=changed,
        )
        watch = SecretWatch(
            token=token,
            credentials=credentials,
            renewer=renewer,
            poll_seconds=table.poll_secret_version,
            clock=self._clock,
            observer=self._observer,
            rng=self._rng,
        )
        return Unit(
            token=token,
            table=table,
            surroundings=surroundings,
            keeper=self._cache.keeper(token, identity=identity, renew=renewer.request),
            renewer=renewer,
            watch=watch,
            publishers=[self._places.place(token, sink) for sink in (*table.files, *table.sinks)],
        )

    def _backend(self, name: str, table: PluginTable) -> BackendClient:
        capabilities: frozenset[Capability] = frozenset()
        if isinstance(table.options, UnusablePlugin):
            create: Callable[[], SecretBackend] = UnusableBackend(
                f"secret backend {name}: {table.options.message}"
            )
        else:
            plugin = self._plugins.secret_backend(table.type)
            capabilities = plugin.capabilities
            create = _creator(plugin, table.options, PluginContext(name=name, observer=self._observer))
        return BackendClient(
            name=name,
            plugin=table.type,
            capabilities=capabilities,
            create=create,
            runner=self._outside.threads(f"backend {name}"),
            observer=self._observer,
            clock=self._clock,
        )

    def _server(self, name: str, table: AuthorizationServerTable) -> AuthorizationServer:
        discovery_url = table.discovery_url
        if discovery_url is None and table.token_endpoint is None and table.issuer is not None:
            discovery_url = metadata.discovery_url(table.issuer)
        settings = AuthorizationServerSettings(
            name=name,
            discovery_url=discovery_url,
            issuer=table.issuer,
            token_endpoint=table.token_endpoint,
            allowed_hosts=frozenset(table.token_endpoint_hosts)
            or metadata.default_hosts(table.issuer, discovery_url),
            allow_insecure_loopback=table.allow_insecure_loopback,
            profile=table.profile,
            token_endpoint_auth_method=table.token_endpoint_auth_method,
            max_concurrent_mints=table.max_concurrent_mints,
        )
        transport = self._outside.transport(table)
        return AuthorizationServer(settings, transport=transport, naps=self._naps, observer=self._observer)

    def _client_auth(self, method: str) -> Authenticate:
        return self._plugins.client_auth(method).authenticate

    def _uses(self, part: object) -> bool:
        return any(part is other for _, other in (*self._backends.values(), *self._servers.values()))


def _same(old: TokenTable, new: TokenTable) -> bool:
    """Whether a unit built from one is as good for the other."""
    ignored = ("allow", "required")
    return all(
        getattr(old, field) == getattr(new, field) for field in new.__struct_fields__ if field not in ignored
    )


def _kept(old: Mapping[str, tuple[Any, Any]], name: str, table: Any) -> Any:
    kept = old.get(name)
    return kept if kept is not None and kept[0] == table else None


def _creator(
    plugin: SecretBackendPlugin, options: Any, context: PluginContext
) -> Callable[[], SecretBackend]:
    return lambda: plugin.create(options, context)


def _backend_names(table: TokenTable) -> tuple[str, ...]:
    refs = (table.client_id, *table.client_secrets, table.client_secret_expires)
    return tuple(sorted({ref.backend for ref in refs if isinstance(ref, SecretRef)}))


def _request(table: TokenTable) -> TokenRequest:
    return TokenRequest(
        scope=table.scope,
        resource=table.resource,
        audience=table.audience,
        parameters=table.parameters,
    )


def _identity(name: str, table: TokenTable, surroundings: Surroundings) -> str:
    return token_identity(
        token=name,
        authorization_server=table.authorization_server,
        issuer=surroundings.server.issuer,
        token_endpoint=surroundings.server.token_endpoint,
        client_id=table.client_id,
        request=_request(table),
    )
