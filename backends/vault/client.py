"""hvac at the boundary: one request, one answer, nothing from the environment.

Owns: the session (trust, no proxies, no netrc, no redirects, no retries), the deadline and size of an answer,
and the conversion of everything that requests may raise. Refuses to know: what an answer means.

hvac's own adapters raise exceptions that carry the answer's body and follow redirects with the token; here
they build requests only, and every status comes back as an `Answer` (R-004, R-005, R-085 to R-088).
"""

from __future__ import annotations

import json
import logging
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any

import hvac
import hvac.adapters
import requests
import requests.adapters
import urllib3.exceptions
import urllib3.util

from backends.vault.options import VaultOptions
from broker.api import Secret, SecretBackendUnavailable

MAX_BODY_BYTES = 1024 * 1024
"""OpenBao and Vault refuse larger entries themselves."""
MOST_CONNECTIONS = 4

Ask = Callable[[Any], requests.Response]
"""Builds one request on an `hvac.Client` and returns its answer unread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`body` is the JSON object that came, numbers as their text; None if it was anything else."""

    status: int
    body: dict[str, Any] | None = field(repr=False)
    retry_after_seconds: float | None = None

    def member(self, *path: str) -> Any:
        """What is found going down the object; None where the path ends early."""
        found: Any = self.body
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        return found


class VaultClient:
    """Thread-safe. Raises SecretBackendUnavailable only."""

    def __init__(self, options: VaultOptions, *, where: str) -> None:
        self._options = options
        self._where = where
        self._lock = threading.Lock()
        self._session: requests.Session | None = None
        # DEBUG of these prints paths and, of others on the same stack, bodies.
        for name in ("hvac", "requests", "urllib3"):
            logger = logging.getLogger(name)
            logger.setLevel(max(logger.level, logging.INFO))

    def ask(self, ask: Ask, *, token: Secret | None, deadline: float) -> Answer:
        """Exchange one request; `deadline` is on `time.monotonic`."""
        try:
            session = self._shared_session()
            vault = hvac.Client(
                url=self._options.url,
                token=token.reveal() if token else "",  # None would adopt VAULT_TOKEN or ~/.vault-token
                cert="",  # None would adopt VAULT_CLIENT_CERT
                verify=session.verify,
                timeout=urllib3.util.Timeout(total=_remaining(deadline)),
                namespace=self._options.namespace,
                session=session,
                allow_redirects=False,
                adapter=hvac.adapters.RawAdapter,
                ignore_exceptions=True,
            )
            response = ask(vault)
            return _answer(response, deadline)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, _Unusable) as error:
            reason = _reason(error)
        raise SecretBackendUnavailable(f"{self._where}: {self._options.url}: {reason}")

    def close(self) -> None:
        """Drop idle connections. Idempotent."""
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            session.close()

    def _shared_session(self) -> requests.Session:
        with self._lock:
            if self._session is None:
                self._session = _new_session(verify=self._options.ca_file or system_trust())
            ca_file = self._options.ca_file
            if ca_file is not None and not Path(ca_file).is_file():
                raise _Unusable(f"ca_file {ca_file} is not there")
            return self._session


def system_trust() -> str | bool:
    """The trust store of this system, whatever SSL_CERT_FILE says; certifi's where there is none."""
    paths = ssl.get_default_verify_paths()
    if Path(paths.openssl_cafile).is_file():
        return paths.openssl_cafile
    directory = Path(paths.openssl_capath)
    return str(directory) if directory.is_dir() and any(directory.iterdir()) else True


def _new_session(*, verify: str | bool) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.verify = verify  # hvac prefers the session's to its own argument
    session.stream = True  # bodies are read below, under a deadline and a limit
    session.headers["Accept-Encoding"] = "identity"
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    adapter = requests.adapters.HTTPAdapter(
        pool_connections=1, pool_maxsize=MOST_CONNECTIONS, max_retries=urllib3.util.Retry(0, read=False)
    )
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class _Unusable(Exception):
    """Something in the way of an answer; the message is ours and safe."""


def _remaining(deadline: float) -> float:
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise _Unusable("no answer in time")
    return remaining


def _answer(response: requests.Response, deadline: float) -> Answer:
    with response:
        body = bytearray()
        while chunk := response.raw.read1(65536):
            _remaining(deadline)
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise _Unusable(f"the answer is larger than {MAX_BODY_BYTES} bytes")
    return Answer(
        status=response.status_code,
        body=_json_object(body),
        retry_after_seconds=_seconds(response.headers.get("Retry-After")),
    )


def _json_object(body: bytes | bytearray) -> dict[str, Any] | None:
    try:
        found = json.loads(body, parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _seconds(header: str | None) -> float | None:
    return float(header) if header is not None and header.isascii() and header.isdigit() else None


def _reason(error: BaseException) -> str:
    """One safe line from the innermost known cause; library messages may quote what was sent or received."""
    if isinstance(error, _Unusable):
        return str(error)
    cause: BaseException | None = error
    while cause is not None:
        match cause:
            case ssl.SSLCertVerificationError():
                return f"TLS: {cause.verify_message}: set ca_file if the server has an authority of its own"
            case ssl.SSLError():
                return f"TLS: {cause.reason}"
            case ConnectionRefusedError():
                return "connection refused"
            case urllib3.exceptions.NameResolutionError():
                return "the host name cannot be resolved"
            case urllib3.exceptions.NewConnectionError():
                pass  # a time-out by its class; its cause says what it was
            case TimeoutError() | urllib3.exceptions.TimeoutError() | requests.Timeout():
                return "no answer in time"
        cause = cause.__cause__ or cause.__context__
    return f"no usable answer ({type(error).__name__})"
