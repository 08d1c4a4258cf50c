"""What the promises of a secret backend are put to: the author's attributes and methods.

Owns: the hooks that an author fills in, which promises are asked of whom, secrets that are hard to carry. Refuses to
know: the promises.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import msgspec

from broker.api import Capability, PluginContext, SecretBackend, SecretBackendPlugin
from broker.testing.abilities import AskedByAbility
from broker.testing.observer import RecordingObserver

Ability = Literal["versions", "whole", "deny", "spoil", "count", "network", "http", "retry_after"]
"""What the store under test can show.

versions: each `put` has a version of its own. whole, deny, spoil, count: `put_whole`, `deny`, `spoil`, `reads`.
network: `moved_to`. http: the store speaks HTTP/1.1. retry_after: and its Retry-After is told.
What the plug-in declares is added, but for versions.
"""

CANARY = "S3CR3T-contract"
PATIENCE_SECONDS = 20.0
SHORT_SECONDS = 1.0
GRACE_SECONDS = 5.0
"""How much later than its time-out a call may return: loading a library takes time as well, on a busy machine more."""

DIFFICULT_VALUES = {
    "plain": CANARY,
    "space": f" {CANARY} ",
    "newline": f"{CANARY}\n",
    "lines": f"{CANARY}\r\n\t{CANARY}\n\n",
    "quotes": f"{CANARY}\"'\\`${{x}}%s",
    "json": f'{{"client_secret": "{CANARY}"}}',
    "unicode": f"{CANARY}-äß€漢字🔑",
    "url": f"{CANARY}+/=&?#%2F",
}


class SecretBackendHarness(AskedByAbility):
    """What the author fills in: the attributes, `options`, `put`, and a method for each ability that needs one."""

    plugin: ClassVar[SecretBackendPlugin]
    module: ClassVar[str]
    """Where the entry point leads."""
    heavy_modules: ClassVar[tuple[str, ...]] = ()
    """What may be loaded only by a backend in use."""
    abilities: ClassVar[frozenset[Ability | Capability]] = frozenset()

    def options(self) -> Mapping[str, Any]:
        """The configuration table, without `type`, of a backend that may read all that `put` stores."""
        raise NotImplementedError

    def put(self, path: str, fields: Mapping[str, str]) -> None:
        """Store these fields as the current version of the secret at this path."""
        raise NotImplementedError

    def put_whole(self, path: str, value: bytes) -> None:
        """Store these bytes as the whole value of the secret at this path."""
        raise NotImplementedError

    def deny(self, path: str) -> None:
        """From now on the backend's identity may not read this path."""
        raise NotImplementedError

    def spoil(self, path: str) -> None:
        """Put something at this path that is there and is no secret."""
        raise NotImplementedError

    def reads(self, path: str) -> int:
        """How many requests for the value at this path the store has seen."""
        raise NotImplementedError

    def moved_to(self, port: int) -> Mapping[str, Any]:
        """The table again, with the store on this port of 127.0.0.1, over plain http."""
        raise NotImplementedError

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if hasattr(cls, "plugin"):
            # Whether a store keeps versions may be a matter of configuration, hence the author's to say.
            cls.abilities = cls.abilities | (cls.plugin.capabilities - {"versions"})
        super().__init_subclass__(**kwargs)

    def make_backend(self, options: Mapping[str, Any] | None = None) -> SecretBackend:
        """A backend as the broker would make it."""
        decoded = msgspec.convert(self.options() if options is None else options, self.plugin.options)
        assert self.plugin.check(decoded) == ()
        self.observer = RecordingObserver()
        return self.plugin.create(decoded, PluginContext(name="contract", observer=self.observer))

    def stored(self, fields: Mapping[str, str] | None = None) -> str:
        """A path of its own, with something there."""
        path = f"contract/{uuid.uuid4()}"
        self.put(path, {"client_secret": CANARY} if fields is None else fields)
        return path
