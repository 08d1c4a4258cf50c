"""hvac at the boundary: one request, one answer.

Owns: the deadline and size of an answer, the number of requests at once, and the conversion of everything that
requests may raise. Refuses to know: what an answer means, and connections (`session`).

hvac's own adapters raise exceptions that carry the answer's body and follow redirects with the token; here
they build requests only, and every status comes back as an `Answer` (R-004, R-085 to R-088).
"""

from __future__ import annotations

import json
import logging
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import hvac
import hvac.adapters
import requests
import urllib3.exceptions
import urllib3.util

from backends.vault.options import VaultOptions
from backends.vault.session import MOST_CONNECTIONS, FileUnusable, SharedSession
from broker.api import Secret, SecretBackendUnavailable

MAX_BODY_BYTES = 1024 * 1024
"""OpenBao and Vault refuse larger entries themselves."""

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


class ForwardingAdapter(hvac.adapters.RawAdapter):  # type: ignore[misc]  # hvac has no types
    """Asks a standby that is behind to hand the request on to the active node, instead of 412 (R-099)."""

    def request(self, method: str, url: str, headers: dict[str, str] | None = None, **more: Any) -> Any:
        forward = {"X-Vault-Inconsistent": "forward-active-node"}
        return super().request(method, url, headers={**(headers or {}), **forward}, **more)


class VaultClient:
    """Thread-safe. Raises SecretBackendUnavailable only."""

    def __init__(self, options: VaultOptions, *, where: str) -> None:
        self._options = options
        self._where = where
        self._session = SharedSession(options)
        self._turns = threading.BoundedSemaphore(MOST_CONNECTIONS)
        # DEBUG of these prints paths and, of others on the same stack, bodies.
        for name in ("hvac", "requests", "urllib3"):
            logger = logging.getLogger(name)
            logger.setLevel(max(logger.level, logging.INFO))

    def ask(
        self,
        ask: Ask,
        *,
        token: Secret | None,
        deadline: float,
        in_namespace: bool = True,
        forward: bool = False,
    ) -> Answer:
        """Exchange one request; `deadline` is on `time.monotonic`."""
        try:
            with self._turn(deadline):
                session = self._session.get()
                vault = hvac.Client(
                    url=self._options.url,
                    token=token.reveal() if token else "",  # None would adopt VAULT_TOKEN or ~/.vault-token
                    cert="",  # None would adopt VAULT_CLIENT_CERT; the session's is preferred
                    verify=session.verify,
                    timeout=urllib3.util.Timeout(total=_remaining(deadline)),
                    namespace=self._options.namespace if in_namespace else None,
                    session=session,
                    allow_redirects=False,
                    adapter=ForwardingAdapter if forward else hvac.adapters.RawAdapter,
                    ignore_exceptions=True,
                )
                return _answer(ask(vault), deadline)
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            OSError,
            FileUnusable,
            _Unusable,
        ) as error:
            reason = _reason(error)
        raise SecretBackendUnavailable(f"{self._where}: {self._options.url}: {reason}")

    def identity(self) -> object:
        """Equal as long as nobody replaced the files of the connections."""
        return self._session.identity()

    def close(self) -> None:
        """Drop idle connections. Idempotent."""
        self._session.close()

    @contextmanager
    def _turn(self, deadline: float) -> Iterator[None]:
        if not self._turns.acquire(timeout=_remaining(deadline)):
            raise _Unusable(f"no answer in time: {MOST_CONNECTIONS} earlier requests wait for theirs")
        try:
            yield
        finally:
            self._turns.release()


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
    if isinstance(error, _Unusable | FileUnusable):
        return str(error)
    cause: BaseException | None = error
    while cause is not None:
        match cause:
            case ssl.SSLCertVerificationError():
                return f"TLS: {cause.verify_message}: set ca_file if the server has an authority of its own"
            case ssl.SSLError() if "CERTIFICATE_REQUIRED" in str(cause.reason):
                return (
                    "TLS: the server demands a client certificate: set certificate_file and private_key_file"
                )
            case ssl.SSLError() if cause.reason is not None:
                return f"TLS: {cause.reason}"
            case ssl.SSLError() | ConnectionResetError() | BrokenPipeError():
                return "the server closed the connection: does it speak TLS, and demand a client certificate?"
            case ConnectionRefusedError():
                return "connection refused"
            case urllib3.exceptions.NameResolutionError():
                return "the host name cannot be resolved"
            case urllib3.exceptions.NewConnectionError():
                pass  # a time-out by its class; its cause says what it was
            case TimeoutError() | urllib3.exceptions.TimeoutError() | requests.Timeout():
                return "no answer in time"
        wrapped = next((each for each in cause.args if isinstance(each, BaseException)), None)
        cause = cause.__cause__ or cause.__context__ or wrapped
    return f"no usable answer ({type(error).__name__})"
