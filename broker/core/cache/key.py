"""The key of the token cache.

Owns: what a key looks like (32 bytes as base64 text) and how soon one that cannot be had is asked for again. Refuses
to know: files and secret backends; a function that brings the text comes in.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Awaitable, Callable
from typing import Final

from broker.core.cache.refusals import KeyUnavailable
from broker.errors import BrokerError
from broker.events import LifeCycle
from broker.model import Secret
from broker.ports import Clock, Observer

KEY_BYTES: Final = 32
RETRY_SECONDS: Final = 30.0
"""A key file may come later than the broker, and a secret backend may be away for hours."""

_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]{43}=?")
_TO_STANDARD: Final = bytes.maketrans(b"-_", b"+/")


def parse(text: Secret) -> Secret:
    """The key's bytes. White space around the text is ignored; both alphabets of RFC 4648 are taken.

    Raises ValueError without any part of the text.
    """
    stripped = text.reveal_bytes().strip()
    if _BASE64.fullmatch(stripped) is None:
        raise ValueError(
            f"is not {KEY_BYTES} bytes as base64 text: make a key with openssl rand -base64 {KEY_BYTES}"
        )
    return Secret(base64.b64decode(stripped.translate(_TO_STANDARD).rstrip(b"=") + b"="))


class CacheKey:
    """The key, had when it is first needed and kept until the process ends."""

    def __init__(
        self, *, where: str, read: Callable[[], Awaitable[Secret]], clock: Clock, observer: Observer
    ) -> None:
        self._where = where
        self._read = read
        self._clock = clock
        self._observer = observer
        self._reading = asyncio.Lock()
        self._key: Secret | None = None
        self._failure: str | None = None
        self._retry_at_boot = 0.0

    async def get(self) -> Secret:
        """The key, or KeyUnavailable: without a new attempt for 30 s after a failed one.

        Everybody who asks waits for the same attempt, and only a new reason is told.
        """
        async with self._reading:
            if self._key is None:
                if self._failure is not None and self._clock.now().boot < self._retry_at_boot:
                    raise KeyUnavailable(self._failure)
                self._key = await self._attempt()
            return self._key

    async def _attempt(self) -> Secret:
        try:
            return parse(await self._read())
        except BrokerError as error:
            failure = error.message
        except ValueError as error:
            failure = f"{self._where}: {error}"
        if failure != self._failure:
            self._failure = failure
            message = f"tokens are not cached for now, the key is missing: {failure}"
            self._observer(LifeCycle(phase="warning", message=message))
        self._retry_at_boot = self._clock.now().boot + RETRY_SECONDS
        raise KeyUnavailable(failure)
