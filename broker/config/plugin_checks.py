"""What plug-ins say about their own tables.

Owns: the call into a plug-in's check, and that nothing it raises gets out. Refuses to know: what it checks.
"""

from __future__ import annotations

from collections.abc import Callable

from broker.config.faults import Faults
from broker.errors import Fault


def guarded(at: str, ask: Callable[[], tuple[Fault, ...]], faults: Faults) -> None:
    """Adds the plug-in's faults below `at`; a failure is a fault without its words, which may quote."""
    try:
        found = ask()
    except Exception as error:  # noqa: BLE001 - the plug-in is somebody else's, and a load never ends in a traceback
        faults.add(
            at, f"the plug-in failed to check this table ({type(error).__name__}); report it to its author"
        )
        return
    for fault in found:
        faults.add(f"{at}.{fault.path}" if fault.path else at, fault.message)
