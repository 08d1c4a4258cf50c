"""The credentials of one managed token, read anew for each mint.

Owns: which fields are picked and judged, the last good ones that serve while a backend is away, the order of several
client secrets, and which versions were superseded. Refuses to know: backends beyond `BackendClient`, what a rejection
leads to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from broker.core.backend_client import BackendClient
from broker.core.insistence import Insistence
from broker.errors import BrokerError, SecretBackendError, SecretMalformed
from broker.model import Client, Secret, SecretDocument
from broker.options import SecretRef
from broker.policy import rotation

REJECTED_REMEMBERED = 8
CONTROL_CHARACTERS = frozenset(map(chr, (*range(0x20), 0x7F)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What one mint authenticates with. `trouble` says why these are not fresh from the backend."""

    client: Client
    version: str | None = None
    expires_at: float | None = None
    trouble: BrokerError | None = field(default=None, repr=False)


@dataclass(slots=True, eq=False)
class _Place:
    """Where one client secret is, and what was found there."""

    ref: SecretRef
    good: Credentials | None = None
    """The last good ones."""
    versions: rotation.Versions | None = None


Outcomes = Mapping[_Place, Credentials | SecretBackendError]


class CredentialSource:
    """The credentials of one managed token: one for each configured client secret, the last winner first."""

    __slots__ = (
        "_backends",
        "_client_id",
        "_expires",
        "_insistence",
        "_places",
        "_rejected",
        "_strip_newline",
        "_winner",
        "attempted",
    )

    def __init__(
        self,
        *,
        client_id: str | SecretRef,
        client_secrets: tuple[SecretRef, ...],
        client_secret_expires: str | SecretRef | None,
        strip_newline: bool,
        backends: Mapping[str, BackendClient],
        insistence: Insistence,
    ) -> None:
        self._client_id = client_id
        self._expires = client_secret_expires
        self._strip_newline = strip_newline
        self._backends = backends
        self._insistence = insistence
        self._places = tuple(map(_Place, client_secrets))
        self._winner = self._places[0]
        self._rejected: tuple[Client, ...] = ()
        self.attempted: Client | None = None
        """What the last attempt to mint authenticated with, under way or over."""

    @property
    def known(self) -> tuple[Credentials, ...]:
        """The last good ones; empty before the first successful read."""
        return tuple(place.good for place in self._in_order() if place.good is not None)

    async def read(self) -> tuple[Credentials, ...]:
        """Fresh, or the last good ones with the trouble told. Raises SecretBackendError if there are none."""
        fresh = await self._read_each(insist=False)
        found = []
        for place in self._in_order():
            outcome = fresh[place]
            if isinstance(outcome, Credentials):
                found.append(outcome)
            elif place.good is not None:
                found.append(replace(place.good, trouble=outcome))
        if not found:
            raise _first_error(fresh)
        return tuple(found)

    async def reread(self) -> tuple[Credentials, ...]:
        """Fresh ones only, and those that the backend told of. Raises SecretBackendError if none can be read."""
        fresh = await self._read_each(insist=True)
        found = tuple(each for place in self._in_order() if isinstance(each := fresh[place], Credentials))
        if not found:
            raise _first_error(fresh)
        return found

    async def version_moved(self, *, is_awaited: bool) -> bool:
        """Whether a backend tells another version than the known one, or tells none. Raises SecretBackendError.

        It is asked again where it tells of the past, and, if a new secret `is_awaited`, where it has done so lately.
        """
        for place in self._places:
            if await self._has_moved(place, is_awaited=is_awaited):
                return True
        return False

    def is_outdated(self, credentials: Credentials) -> bool:
        """Whether these were rejected, and the backend told of newer ones: then a login with them is in vain."""
        now = self._insistence.clock.now().boot
        return credentials.client in self._rejected and any(
            place.versions.is_behind(credentials.version, now)
            for place in self._places
            if place.versions and place.good and place.good.client == credentials.client
        )

    def lost(self, client: Client) -> None:
        """The authorization server rejected this one."""
        if client not in self._rejected:
            self._rejected = (*self._rejected, client)[-REJECTED_REMEMBERED:]

    def won(self, credentials: Credentials) -> None:
        """These were accepted: they are tried first from now on."""
        self._rejected = tuple(client for client in self._rejected if client != credentials.client)
        for place in self._places:
            if place.good is not None and place.good.client == credentials.client:
                self._winner = place
                return

    def _one_rejected(self, seen: Client, current: Client) -> Literal["neither", "seen", "current"]:
        """Which of two the authorization server rejected, where it was only one of them."""
        seen_rejected, current_rejected = seen in self._rejected, current in self._rejected
        if seen_rejected == current_rejected:
            return "neither"
        return "seen" if seen_rejected else "current"

    def _in_order(self) -> list[_Place]:
        return [self._winner, *(place for place in self._places if place is not self._winner)]

    async def _has_moved(self, place: _Place, *, is_awaited: bool) -> bool:
        backend, questions = self._backends[place.ref.backend], self._insistence.begin()
        is_known = is_looked_at = False
        while True:
            version = await backend.version(place.ref.path)
            good, versions = place.good, place.versions
            if good is None or version is None or versions is None:
                return True
            if versions.is_past(version):
                backend.answered_with_the_past()
                if good.client in self._rejected and not is_looked_at:
                    # An operator who takes a wrong secret back does not wait for what replicas say.
                    is_looked_at = True
                    if await self._read_one(place, insist=False) != good:
                        return True
            elif version == good.version:
                is_known = True
                place.versions = versions.confirmed()
            else:
                place.versions = versions.after_news(version, self._insistence.clock.now().boot)
                return True
            is_settled = is_known and not (is_awaited and backend.lags)
            if is_settled or not await questions.once_more():
                # That all of them told of the past may be an operator's rollback.
                return not is_known

    async def _read_each(self, *, insist: bool) -> Outcomes:
        outcomes = await asyncio.gather(*(self._read_one(place, insist=insist) for place in self._places))
        return dict(zip(self._places, outcomes, strict=True))

    async def _read_one(self, place: _Place, *, insist: bool) -> Credentials | SecretBackendError:
        """`insist` even on what is newer than a secret that may still do."""
        questions = self._insistence.begin()
        while True:
            try:
                read = await self._from_backend(place.ref)
            except SecretBackendError as error:
                return error
            if not self._is_behind(place, read):
                break
            may_do = not insist and read.client not in self._rejected
            if may_do or not await questions.once_more():
                break
        good = place.good
        if good is not None and read.version is not None:
            now = self._insistence.clock.now().boot
            place.versions, is_stale = rotation.judge(
                place.versions or rotation.Versions(),
                read.version,
                now,
                rejected=self._one_rejected(read.client, good.client),
            )
            if is_stale:
                return good
        elif read.version is not None:
            place.versions = rotation.Versions(current=read.version)
        place.good = read
        return read

    def _is_behind(self, place: _Place, read: Credentials) -> bool:
        versions = place.versions
        if versions is None:
            return False
        is_behind = versions.is_behind(read.version, self._insistence.clock.now().boot)
        if is_behind or versions.is_past(read.version):
            self._backends[place.ref.backend].answered_with_the_past()
        return is_behind

    async def _from_backend(self, secret: SecretRef) -> Credentials:
        """References to one path are read together, in one version."""
        refs = [ref for ref in (self._client_id, secret, self._expires) if isinstance(ref, SecretRef)]
        places = list(dict.fromkeys((ref.backend, ref.path) for ref in refs))
        found = await asyncio.gather(*(self._backends[name].read(path) for name, path in places))
        documents = dict(zip(places, found, strict=True))

        def text(ref: SecretRef, *, strip_newline: bool = True) -> str:
            return _text(_pick(ref, documents[ref.backend, ref.path]), ref, strip_newline=strip_newline)

        client_id = self._client_id if isinstance(self._client_id, str) else text(self._client_id)
        expires_at = None
        if isinstance(self._expires, str):
            expires_at = rotation.parse_expiry(self._expires)
        elif self._expires is not None:
            expires_at = _expiry(self._expires, documents[self._expires.backend, self._expires.path])
        value = text(secret, strip_newline=self._strip_newline)
        return Credentials(
            client=Client(client_id=client_id, client_secret=Secret(value)),
            version=documents[secret.backend, secret.path].version,
            expires_at=expires_at,
        )


def _first_error(outcomes: Outcomes) -> SecretBackendError:
    return next(outcome for outcome in outcomes.values() if isinstance(outcome, SecretBackendError))


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
