"""boto3 at the boundary: clients that take nothing from the environment but credentials.

Owns: every setting that botocore would otherwise take from variables, profiles or its own changing defaults
(R-059, R-060, R-110, R-112). Refuses to know: secrets, and where credentials come from (`credentials`).
"""

from __future__ import annotations

import ipaddress
import logging
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import boto3.session
import botocore.configprovider
import botocore.session
from botocore.config import Config
from botocore.exceptions import NoCredentialsError
from botocore.loaders import Loader

from backends.aws_secrets_manager import credentials
from backends.aws_secrets_manager.options import SecretsManagerOptions

MOST_CONNECTIONS = 4
CREDENTIAL_SECONDS = 3.0
"""What a source of credentials is waited for: it comes before the call, whose time it takes."""

PAUSE_SECONDS = 1.0
"""Between two looks for credentials after a failure: hundreds of tokens may be waiting to look as well."""


class AwsSession:
    """Credentials and a client of Secrets Manager, found and made at first use and shared by all threads (R-108).

    botocore sets timeouts per client: one client is kept, and made anew for a caller with another patience.
    """

    def __init__(self, options: SecretsManagerOptions) -> None:
        self._options = options
        self._lock = threading.Lock()  # botocore's sessions are not safe to use from two threads
        self._models = Loader(  # parsing them costs 100 ms; nobody's ~/.aws/models may change them
            extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False
        )
        self._session: Any = None
        self._client: Any = None
        self._client_seconds = 0.0
        self._failure: Exception | None = None
        self._asked_again_at = 0.0
        self._kept_until = 0.0
        quieten()

    def client(self, timeout_seconds: float) -> Any:
        """A client that makes one attempt a call, with credentials that do not expire soon.

        Raises what botocore raises when it finds none, when one of their sources fails, or when a role is refused.
        """
        with self._lock:
            if self._failure is not None and time.monotonic() < self._asked_again_at:
                raise self._failure.with_traceback(None)
            try:
                found = self._found()
                client = self._made(timeout_seconds)
            except Exception as error:
                self._failed(error)
                raise
        try:
            found.get_frozen_credentials()  # not under our lock: those that still serve do while botocore renews them
        except Exception as error:
            with self._lock:
                self._failed(error)
            raise
        return client

    def forget(self) -> None:
        """Look for credentials anew at the next call: botocore keeps what it read from a file. Once in a pause."""
        with self._lock:
            now = time.monotonic()
            if now >= self._kept_until:
                self._session = self._client = None
                self._kept_until = now + PAUSE_SECONDS

    def close(self) -> None:
        """Close the connections; idempotent."""
        with self._lock:
            client, self._session, self._client = self._client, None, None
        if client is not None:
            client.close()

    def _found(self) -> Any:
        if self._session is None:
            self._session = _session(self._options, self._models)
        self._session.get_scoped_config()  # a profile that is not there is better told than no credentials
        found = self._session.get_credentials()
        if found is None:
            raise NoCredentialsError
        return found

    def _made(self, timeout_seconds: float) -> Any:
        if self._client is None or timeout_seconds != self._client_seconds:
            self._client = _client(self._session, self._options, timeout_seconds)
            self._client_seconds = timeout_seconds
        return self._client

    def _failed(self, error: Exception) -> None:
        self._session = self._client = None
        self._failure, self._asked_again_at = error, time.monotonic() + PAUSE_SECONDS


def quieten() -> None:
    """At DEBUG botocore prints the answer's body, which holds the secret."""
    for name in ("boto3", "botocore", "urllib3"):
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.INFO))


class _Session(botocore.session.Session):  # type: ignore[misc] # botocore has no types
    """Also for the clients that sources of credentials make."""

    sts_endpoint_url: str | None = None

    def create_client(self, service_name: str, *args: Any, **arguments: Any) -> Any:
        if service_name == "sts":
            arguments["endpoint_url"] = self.sts_endpoint_url
        arguments["verify"] = True  # None, which boto3 passes on, would mean REQUESTS_CA_BUNDLE
        return super().create_client(service_name, *args, **arguments)


def _session(options: SecretsManagerOptions, models: Loader) -> Any:
    session = _Session(session_vars=_constants(), profile=options.profile)
    if options.endpoint_url is not None and _is_loopback(options.endpoint_url):
        # AWS's own endpoints serve one service each, an imitation serves all of them.
        session.sts_endpoint_url = options.endpoint_url
    session.register_component("data_loader", models)
    session.set_default_client_config(_config(options, timeout_seconds=CREDENTIAL_SECONDS))
    session.register_component("credential_provider", credentials.provider(session, options))
    return session


def _client(session: Any, options: SecretsManagerOptions, timeout_seconds: float) -> Any:
    maker = boto3.session.Session(botocore_session=session)
    del session.get_component("data_loader").search_paths[1:]  # boto3 adds its own for each of its sessions
    return maker.client(
        "secretsmanager",
        region_name=options.region,
        endpoint_url=options.endpoint_url,
        config=_config(options, timeout_seconds=timeout_seconds),
    )


def _config(options: SecretsManagerOptions, *, timeout_seconds: float) -> Config:
    return Config(
        connect_timeout=timeout_seconds,
        read_timeout=timeout_seconds,
        retries={"mode": "standard", "total_max_attempts": 1},
        max_pool_connections=MOST_CONNECTIONS,
        proxies={},
        tcp_keepalive=True,
        defaults_mode="legacy",
        ignore_configured_endpoint_urls=True,
        use_fips_endpoint=options.use_fips,
        use_dualstack_endpoint=options.use_dualstack,
    )


def _constants() -> dict[str, tuple[None, None, Any, Any]]:
    """The variables of botocore with their defaults, out of reach of environment and configuration file."""
    variables = botocore.configprovider.BOTOCORE_DEFAUT_SESSION_VARIABLES
    return {
        name: (None, None, default, convert) for name, (_file, _env, default, convert) in variables.items()
    }


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
