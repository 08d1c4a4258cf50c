"""What every secret backend promises, as a pytest class to be inherited.

Owns: the whole of the promises, put to a real backend. Refuses to know: any store; the author says how a secret gets
there, in 15 to 40 lines:

    class TestAcme(SecretBackendContract):
        plugin = acme.plugin
        module = "acme"
        heavy_modules = ("acme_sdk",)
        abilities = frozenset({"versions", "network"})

        def options(self): return {"url": ..., "token_file": ...}
        def put(self, path, fields): ...
        def moved_to(self, port): return {**self.options(), "url": f"http://127.0.0.1:{port}"}

`docs/writing-a-backend.md` has a whole one.
"""

from __future__ import annotations

from broker.testing.abilities import needs
from broker.testing.secret_backend.harness import CANARY, Ability
from broker.testing.secret_backend.network import NetworkPromises
from broker.testing.secret_backend.package import PackagePromises
from broker.testing.secret_backend.reading import ReadingPromises

__all__ = ["CANARY", "Ability", "SecretBackendContract", "needs"]


class SecretBackendContract(ReadingPromises, NetworkPromises, PackagePromises):
    """Inherit, and fill in what `SecretBackendHarness` lists."""
