"""Where the text of the cache key comes from: a file, or a secret backend.

Only a file serves a restart while every secret backend is away. Owns: the two ways, their deadlines. Refuses to know:
what the text means.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from broker.core.backend_client import BackendClient
from broker.core.cache.refusals import KeyUnavailable
from broker.core.cache.storage import CacheStorage
from broker.errors import SecretMalformed
from broker.events import LifeCycle
from broker.model import Secret
from broker.options import SecretRef
from broker.ports import BlockingRunner, Observer

READ_SECONDS: Final = 10.0

KeyText = Callable[[], Awaitable[Secret]]


def from_file(path: str, *, storage: CacheStorage, runner: BlockingRunner, observer: Observer) -> KeyText:
    """The text of a file, read anew at each call. It raises BrokerError."""
    told: set[str] = set()

    def warn(message: str) -> None:
        if message in told:
            return
        told.add(message)
        observer(LifeCycle(phase="warning", message=f"cache key: {message}"))

    async def read() -> Secret:
        try:
            return await runner.run(lambda: storage.read_key(path, warn=warn), deadline_seconds=READ_SECONDS)
        except TimeoutError:
            problem = f"no answer within {READ_SECONDS:.0f} s: check the file system"
            raise KeyUnavailable(f"{path}: {problem}") from None

    return read


def from_backend(ref: SecretRef, client: BackendClient) -> KeyText:
    """The text of a secret, read anew at each call. It raises SecretBackendError."""

    async def read() -> Secret:
        document = await client.read(ref.path)
        found = document.whole if ref.field is None else document.fields.get(ref.field)
        if found is None:
            raise SecretMalformed(
                f"the cache key at {ref.backend}:{ref.path} has "
                + (
                    "several fields: name one with `field`"
                    if ref.field is None
                    else f"no field {ref.field!r}"
                )
            )
        return found

    return read
