"""References to secrets: the backend is configured, path and field name something.

Owns: what must hold for each `{ backend, path, field }`. Refuses to know: which key it stands at, what is kept there.
"""

from __future__ import annotations

from broker.config.faults import Faults, suggest
from broker.config.schema import Config
from broker.options import SecretRef


def check(at: str, reference: SecretRef, *, config: Config, faults: Faults) -> None:
    """Adds what is wrong with the reference at `at`."""
    backend = config.secret_backends.get(reference.backend)
    if backend is None:
        hint = suggest(
            reference.backend,
            config.secret_backends,
            none="no [secret_backends.NAME] table is there; add one",
        )
        faults.add(f"{at}.backend", f"no secret backend of that name is configured; {hint}")
    if not reference.path:
        faults.add(f"{at}.path", "must not be empty")
    if reference.field == "":
        faults.add(f"{at}.field", "must not be empty; leave it out to take the whole value")
