"""The development authorization server: client credentials on loopback, for `dev` and for the tests.

Owns: the addresses, the listener and its threads, the faults that are due. Refuses to know: the daemon. Its
metadata lies at another path than its issuer says, as in OutSystems ODC. It is no product: keys, users and
consent do not exist.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any, Final, Self

from broker.dev import faults
from broker.dev.exchange import Site
from broker.dev.faults import Fault
from broker.dev.ledger import Ledger
from broker.dev.listener import Listener
from broker.dev.registry import Registry, TokenFormat
from broker.dev.token_service import Answer, Call, Dialect, TokenService
from broker.model import Secret

DISCOVERY_PATH: Final = "/identity/.well-known/openid-configuration"
INTROSPECTION_PATH: Final = "/introspect"


class DevelopmentAuthorizationServer:
    """Listens from `start()`, or in a `with` block; methods are thread-safe and work while it is stopped.

    `hostname` is what its URLs say, `host` where it listens. `issuer` may be any URL; by default it lies at
    this server. `marker` starts every secret and token. Without `date_offset_seconds` there is no Date
    header, as with Keycloak.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        hostname: str | None = None,
        tls: ssl.SSLContext | None = None,
        realm: str = "dev",
        issuer: str | None = None,
        dialect: Dialect = "keycloak",
        token_format: TokenFormat = "opaque",
        marker: str = "",
        auth_methods: tuple[str, ...] | None = ("client_secret_basic", "client_secret_post"),
        date_offset_seconds: float | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._host = host
        self._port = port
        self._hostname = hostname or host
        self._tls = tls
        self._realm_path = f"/auth/realms/{realm}"
        self._pinned_issuer = issuer
        self._auth_methods = auth_methods
        self._date_offset_seconds = date_offset_seconds
        self._registry = Registry(
            issuer=lambda: self.issuer, token_format=token_format, marker=marker, now=now
        )
        self._service = TokenService(self._registry, dialect=dialect)
        self._faults: defaultdict[str, deque[tuple[Fault, int | None]]] = defaultdict(deque)
        self._faults_lock = threading.Lock()
        self._listener: Listener | None = None
        self.ledger = Ledger()

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"{'https' if self._tls else 'http'}://{self._hostname}:{self._port}"

    @property
    def issuer(self) -> str:
        """What the metadata states."""
        return self._pinned_issuer or f"{self.url}{self._realm_path}"

    @property
    def discovery_url(self) -> str:
        """Where the metadata lies; not derived from the issuer."""
        return f"{self.url}{DISCOVERY_PATH}"

    @property
    def token_endpoint(self) -> str:
        """Where tokens are minted."""
        return f"{self.url}{self._token_path}"

    @property
    def introspection_endpoint(self) -> str:
        """Where a registered client asks about a token (RFC 7662)."""
        return f"{self.url}{INTROSPECTION_PATH}"

    def start(self) -> None:
        """Listen, on the same port as before if there was one. OSError if the port is taken."""
        if self._listener is not None:
            return
        listener = Listener((self._host, self._port), self._site, self._tls)
        self._port = listener.server_address[1]
        self._listener = listener
        listener.run()

    def stop(self) -> None:
        """Close the port and every connection, hung ones too; registrations, tokens and ledger stay."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def register(
        self,
        client_id: str,
        *,
        secret: str | None = None,
        scope: tuple[str, ...] | None = None,
        lifetime_seconds: int = 300,
    ) -> Secret:
        """Register a client and give its secret; `scope` is all it may ask for, None meaning anything."""
        return self._registry.register(
            client_id, secret=secret, scope=scope, lifetime_seconds=lifetime_seconds
        )

    def rotate(self, client_id: str, *, secret: str | None = None) -> Secret:
        """Give the client another secret: the old one dies at once, issued tokens live on."""
        return self._registry.rotate(client_id, secret=secret)

    def suspend(self, client_id: str) -> None:
        """Refuse the client and call its tokens inactive."""
        self._registry.suspend(client_id, suspended=True)

    def resume(self, client_id: str) -> None:
        """Accept the client again; its unexpired tokens are active again."""
        self._registry.suspend(client_id, suspended=False)

    def set_lifetime(self, client_id: str, lifetime_seconds: int) -> None:
        """For tokens issued from now on."""
        self._registry.set_lifetime(client_id, lifetime_seconds)

    def introspect(self, token: str) -> dict[str, Any]:
        """What the introspection endpoint would say."""
        return self._registry.introspect(token)

    def fault(self, endpoint: str, fault: Fault | str, *, times: int | None = None) -> None:
        """Let the next `times` requests of `token`, `metadata` or `introspect` go wrong; all of them if None.

        Several faults of one endpoint are played one after the other. A name is looked up in the catalogue.
        """
        value = faults.named(fault) if isinstance(fault, str) else fault
        with self._faults_lock:
            self._faults[endpoint].append((value, times))

    def clear(self) -> None:
        """Drop the faults that are still due; exchanges that hang already go on hanging."""
        with self._faults_lock:
            self._faults.clear()

    @property
    def _token_path(self) -> str:
        return f"{self._realm_path}/protocol/openid-connect/token"

    def _site(self, stopping: threading.Event) -> Site:
        return Site(
            ledger=self.ledger,
            stopping=stopping,
            endpoint_of=self._endpoint_of,
            take_fault=self._take_fault,
            answer=self._answer,
            date_offset_seconds=self._date_offset_seconds,
        )

    def _endpoint_of(self, path: str) -> str:
        return {
            self._token_path: "token",
            INTROSPECTION_PATH: "introspect",
            DISCOVERY_PATH: "metadata",
            f"{self._realm_path}/.well-known/openid-configuration": "metadata",
        }.get(path, "other")

    def _take_fault(self, endpoint: str) -> Fault | None:
        with self._faults_lock:
            due = self._faults[endpoint]
            if not due:
                return None
            fault, times = due[0]
            if times is None:
                return fault
            due.popleft()
            if times > 1:
                due.appendleft((fault, times - 1))
            return fault

    def _answer(self, endpoint: str, call: Call, fault: Fault) -> Answer:
        if endpoint == "token":
            return self._service.token(call, same_token=fault.same_token)
        if endpoint == "introspect":
            return self._service.introspect(call)
        if endpoint == "metadata":
            return Answer(status=200, members=self._metadata(), headers={"Cache-Control": "no-store"})
        return Answer(status=404, members={"error": "Realm does not exist"})

    def _metadata(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "issuer": self.issuer,
            "token_endpoint": self.token_endpoint,
            "introspection_endpoint": self.introspection_endpoint,
            "grant_types_supported": ["client_credentials"],
        }
        if self._auth_methods is not None:
            document["token_endpoint_auth_methods_supported"] = list(self._auth_methods)
        return document
