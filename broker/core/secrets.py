"""Client secrets, read anew for each mint; the last good ones serve while the backend is away.

Owns: one configured secret backend seen from the event loop (`BackendClient`) and what one managed token needs of it
(`CredentialSource`). Refuses to know: hvac, boto3, files; how threads are abandoned (`BlockingRunner`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from broker.errors import BrokerError, SecretBackendError, SecretBackendUnavailable, SecretMalformed
from broker.events import SecretFetched
from broker.model import Client, Secret, SecretDocument
from broker.options import SecretRef
from broker.policy import rotation
from broker.ports import BlockingRunner, Clock, Observer, SecretBackend

T = TypeVar("T")

CALL_SECONDS = 10.0
ABANDON_AFTER_SECONDS = 12.0
CONTROL_CHARACTERS = frozenset(map(chr, (*range(0x20), 0x7F)))


class BackendClient:
    """One configured secret backend, built in its own threads at first use.

    It is built anew after an abandoned call: a session that somebody is still using must not be shared.
    """

    def __init__(
        self,
        *,
        name: str,
        create: Callable[[], SecretBackend],
        runner: BlockingRunner,
        observer: Observer,
        clock: Clock,
    ) -> None:
        self.name = name
        self._create = create
        self._runner = runner
        self._observer = observer
        self._clock = clock
        self._backend: SecretBackend | None = None
        self._building = asyncio.Lock()

    async def read(self, path: str) -> SecretDocument:
        """Everything at `path`. Raises SecretBackendError only."""
        return await self._call(lambda backend: backend.read(path, timeout_seconds=CALL_SECONDS))

    async def version(self, path: str) -> str | None:
        """The current version at `path`, None where there are none. Raises SecretBackendError only."""
        return await self._call(lambda backend: backend.version(path, timeout_seconds=CALL_SECONDS))

    async def close(self) -> None:
        """Close the backend, waiting two seconds at most."""
        backend, self._backend = self._backend, None
        if backend is not None:
            with suppress(Exception):  # nothing that closing says may delay the exit
                await self._runner.run(backend.close, deadline_seconds=2.0)
        self._runner.close()

    async def _call(self, operation: Callable[[SecretBackend], T]) -> T:
        started = self._clock.now().boot
        failure: SecretBackendError | None = None
        try:
            async with self._building:
                if self._backend is None:
                    self._backend = await self._runner.run(
                        self._create, deadline_seconds=ABANDON_AFTER_SECONDS
                    )
                backend = self._backend
            return await self._runner.run(lambda: operation(backend), deadline_seconds=ABANDON_AFTER_SECONDS)
        except SecretBackendError as error:
            failure = error
            raise
        except TimeoutError:
            self._backend = None
            failure = SecretBackendUnavailable(
                f"secret backend {self.name}: no answer within {ABANDON_AFTER_SECONDS:.0f} s; the call was abandoned",
                code="timeout",
            )
            raise failure from None
        except Exception as error:  # noqa: BLE001  # a plug-in's bug must not take the token's task down (R-063)
            self._backend = None
            failure = SecretBackendUnavailable(
                f"secret backend {self.name}: unexpected {type(error).__name__} in the plug-in",
                code="plugin_bug",
            )
            raise failure from None
        finally:
            self._observer(
                SecretFetched(
                    backend=self.name,
                    outcome="failure" if failure else "success",
                    duration_seconds=self._clock.now().boot - started,
                    message=failure.message if failure else None,
                )
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What one mint authenticates with. `trouble` says why these are not fresh from the backend."""

    client: Client
    version: str | None = None
    expires_at: float | None = None
    trouble: BrokerError | None = field(default=None, repr=False)


class CredentialSource:
    """The credentials of one managed token."""

    def __init__(
        self,
        *,
        client_id: str | SecretRef,
        client_secret: SecretRef,
        client_secret_expires: str | SecretRef | None,
        strip_newline: bool,
        backends: Mapping[str, BackendClient],
    ) -> None:
        self._client_id = client_id
        self._client_secret = client_secret
        self._expires = client_secret_expires
        self._strip_newline = strip_newline
        self._backends = backends
        self._last_good: Credentials | None = None

    @property
    def last_good(self) -> Credentials | None:
        """The credentials of the last successful read."""
        return self._last_good

    async def read(self) -> Credentials:
        """Fresh from the backend, or the last good ones with the trouble told. SecretBackendError if there are none."""
        try:
            return await self.reread()
        except SecretBackendError as error:
            if self._last_good is None:
                raise
            good = self._last_good
            return Credentials(
                client=good.client, version=good.version, expires_at=good.expires_at, trouble=error
            )

    async def reread(self) -> Credentials:
        """Fresh from the backend or SecretBackendError. References to one path are read together, in one version."""
        refs = [
            ref for ref in (self._client_id, self._client_secret, self._expires) if isinstance(ref, SecretRef)
        ]
        places = list(dict.fromkeys((ref.backend, ref.path) for ref in refs))
        documents = dict(
            zip(
                places,
                await asyncio.gather(*(self._backends[name].read(path) for name, path in places)),
                strict=True,
            )
        )

        def pick(ref: SecretRef) -> Secret:
            return _pick(ref, documents[ref.backend, ref.path])

        client_id = (
            self._client_id
            if isinstance(self._client_id, str)
            else _text(pick(self._client_id), self._client_id, strip_newline=True)
        )
        secret = _text(pick(self._client_secret), self._client_secret, strip_newline=self._strip_newline)
        expires_at = None
        if isinstance(self._expires, str):
            expires_at = rotation.parse_expiry(self._expires)
        elif self._expires is not None:
            expires_at = _expiry(self._expires, documents[self._expires.backend, self._expires.path])
        self._last_good = Credentials(
            client=Client(client_id=client_id, client_secret=Secret(secret)),
            version=documents[self._client_secret.backend, self._client_secret.path].version,
            expires_at=expires_at,
        )
        return self._last_good

    async def version(self) -> str | None:
        """The version of the client secret, without its value where the backend can. Raises SecretBackendError."""
        return await self._backends[self._client_secret.backend].version(self._client_secret.path)


def _pick(ref: SecretRef, document: SecretDocument) -> Secret:
    where = f"{ref.backend}:{ref.path}"
    if ref.field is None:
        if document.whole is None:
            raise SecretMalformed(f"the secret at {where} has several fields: name one with `field`")
        return document.whole
    found = document.fields.get(ref.field)
    if found is None:
        raise SecretMalformed(f"the secret at {where} has no text field {ref.field!r}")
    return found


def _text(secret: Secret, ref: SecretRef, *, strip_newline: bool) -> str:
    """The value as it is sent: one trailing newline stripped if so configured, control characters refused (R-026)."""
    where = f"{ref.backend}:{ref.path}" + (f" field {ref.field!r}" if ref.field else "")
    try:
        text = secret.reveal()
    except ValueError:
        raise SecretMalformed(f"the secret at {where} is not UTF-8 text") from None
    if strip_newline:
        text = text.removesuffix("\r\n") if text.endswith("\r\n") else text.removesuffix("\n")
    if not text:
        raise SecretMalformed(f"the secret at {where} is empty")
    if any(character in CONTROL_CHARACTERS for character in text):
        raise SecretMalformed(
            f"the secret at {where} contains control characters: store it again without them"
        )
    return text


def _expiry(ref: SecretRef, document: SecretDocument) -> float | None:
    """The secret's expiry date is a comfort: one that cannot be read must not stop a mint."""
    try:
        return rotation.parse_expiry(_text(_pick(ref, document), ref, strip_newline=True))
    except (SecretMalformed, ValueError):
        return None
